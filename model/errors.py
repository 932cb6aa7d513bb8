"""The one exception that users cause: the command line prints it and exits with code 2."""


class InputError(ValueError):
    """Bad input from outside: a file, a shape, an option.

    The message is one sentence, X must be W, not V: the thing, what is right, what was seen.
    """
