"""The one exception that users cause: the command line prints it and exits with code 2."""


class InputError(ValueError):
    """Bad input from outside: a file, a shape, an option.

    The message is one sentence that names the thing, the value seen and the value wanted.
    """
