"""The checks, one module for each family of requirements or for a part of one."""
