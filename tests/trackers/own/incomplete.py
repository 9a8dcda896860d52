import a_module_that_nobody_has  # noqa: F401 - that it cannot be imported is what is tested
