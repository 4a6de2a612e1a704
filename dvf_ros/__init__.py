"""Diffused Value Function control: sample the states that an action leads to, score them, choose."""

import pkgutil

# In a source checkout the generated dvf_ros.msg and dvf_ros.srv lie elsewhere on the path, under the same name.
__path__ = pkgutil.extend_path(__path__, __name__)
__version__ = "0.1.0"
