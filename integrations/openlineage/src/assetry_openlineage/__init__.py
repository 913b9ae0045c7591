"""What runs make of what, told by OpenLineage.

Name it in the project file, and install the package: ``[openlineage]`` with ``url = "http://marquez:5000"``.
"""
