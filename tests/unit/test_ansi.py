from __future__ import annotations

import pytest

from wfnb.widgets.ansi import LONGEST_LINE, MOST_CODES, safe_line, safe_lines, safe_text

RED, BOLD, OFF = "\x1b[31m", "\x1b[1m", "\x1b[0m"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\r\ntwo", ["one", "two"]),
        ("", []),
        ("\n", [""]),
        ("a\tb", ["a\tb"]),
        ("bell\x07 and \x00nul\x08", ["bell and nul"]),
        ("cursor \x1b[2J\x1b[1;1Hhome\x1b[?25l", ["cursor home"]),
        ("title \x1b]0;pwned\x07shown", ["title shown"]),
        ("clipboard \x1b]52;c;ZXZpbA==\x1b\\shown", ["clipboard shown"]),
        ("link \x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", ["link here"]),
        ("device \x1bPq#0;2;0;0;0\x1b\\shown", ["device shown"]),
        ("never closed \x1b]0;title\nnext line", ["never closed ", "next line"]),
        ("eight bit \x9b31mred \x9d0;title\x9c.", ["eight bit red ."]),
        ("charset \x1b(Bplain \x1bcreset", ["charset plain reset"]),
        ("half \x1b[", ["half "]),
        ("half \x1b", ["half "]),
    ],
)
def test_what_commands_a_terminal_is_taken_out(text: str, lines: list[str]) -> None:
    assert safe_lines(text) == lines


def test_colours_are_kept() -> None:
    assert safe_lines(f"{RED}red{OFF} plain") == [f"{RED}red{OFF} plain"]
    assert safe_lines("\x1b[38;5;196mx\x1b[48:2:1:2:3my") == ["\x1b[38;5;196mx\x1b[48:2:1:2:3my"]


def test_each_line_begins_in_the_colours_that_were_on() -> None:
    found = safe_lines(f"{RED}one\n{BOLD}two\nthree{OFF}\nfour")
    assert found == [f"{RED}one", f"{RED}{BOLD}two", f"{RED}{BOLD}three{OFF}", "four"]


def test_a_line_inherits_only_so_many_colours() -> None:
    lines = safe_lines("".join(f"\x1b[38;5;{n}m" for n in range(200)) + "\nnext")
    assert lines[1].count("\x1b") == MOST_CODES


def test_a_progress_bar_that_overwrites_itself_leaves_its_last_state() -> None:
    assert safe_lines("10%\r50%\r100%\r\ndone\r") == ["100%", "done"]


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\U000e0041"])
def test_signs_that_deceive_readers_are_shown_as_such(sign: str) -> None:
    assert safe_lines(f"pay {sign}evil") == ["pay \ufffdevil"]


def test_half_a_surrogate_can_be_sent_as_json() -> None:
    safe_lines("broken \ud800 text")[0].encode()


def test_other_scripts_and_emoji_stay_as_they_are() -> None:
    text = "日本語 עברית हिन्दी 👩‍💻 naïve"
    assert safe_lines(text) == [text]


def test_a_line_of_a_megabyte_is_cut() -> None:
    (line,) = safe_lines("x" * 1_000_000)
    assert line.startswith("x" * LONGEST_LINE + "…")
    assert line.endswith("996,000 more characters")


def test_a_traceback_loses_its_colours_and_keeps_its_lines() -> None:
    assert safe_text(f"{RED}Traceback{OFF}\n  line") == "Traceback\n  line"


def test_a_name_is_one_line() -> None:
    assert safe_line(" two\nlines\t\x1b[31mand more ") == "two lines and more"
    assert len(safe_line("x" * 1000)) == 300


def test_a_million_lines_take_about_a_second() -> None:
    assert len(safe_lines("x\n" * 1_000_000)) == 1_000_000
