"""An option with one value is given once."""

from __future__ import annotations

import pytest

from intarsia.cli.main import COMMANDS, app, main


def options():
    """All options with one value of all commands, as (command, option)."""
    import typer

    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        for parameter in command.params:
            flag = getattr(parameter, "is_flag", True)
            if parameter.param_type_name == "option" and not flag and not parameter.multiple:
                yield name, parameter.opts[0]


@pytest.mark.parametrize(("command", "option"), list(options()))
def test_twice_is_refused_by_name_with_both_values(command, option, capsys):
    for arguments in ([option, "1", option, "2"], [f"{option}=1", "--json", f"{option}=2"]):
        assert main([command, *arguments]) == 2
        printed = capsys.readouterr()
        wanted = f"intarsia: {option} must be given once, not as '1' and as '2'\n"
        assert (printed.out, printed.err) == ("", wanted)


def test_equal_values_are_two_as_well(capsys):
    assert main(["simulate", "--machine", "edge", "--machine", "edge"]) == 2
    assert "--machine must be given once, not as 'edge' and as 'edge'" in capsys.readouterr().err


def test_every_command_has_options_that_are_tried():
    names = {command.__name__.replace("_", "-") for command in COMMANDS}
    assert {name for name, _ in options()} >= names - {"disassemble", "networks"}


def test_lists_may_be_given_again(capsys, tmp_path):
    (tmp_path / "file").touch()
    arguments = ["--unit", "argmax", "--unit", "expand", "--out", str(tmp_path / "file")]
    assert main(["verilog", *arguments]) == 2
    assert "cannot write to folder" in capsys.readouterr().err
