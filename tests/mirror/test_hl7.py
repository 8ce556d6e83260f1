from __future__ import annotations

import base64
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.mirror.hl7 import Hl7Unreadable, ObservedValue, read_oru

MSH = "MSH|^~\\&|SAMPLELAB|X|EHR|Y|20310203101500||ORU^R01^ORU_R01|ctl-1|P|2.5.1"
PID = "PID|1|int-1|MR-7^^^LAB^MR~ord_1^^^RUPA||Testcase^Ada^Q||19800102|F"
OBR = "OBR|1|ord_1^RUPA|acc-9^LAB|P1^Invented Panel^L|||203102010815-0800"


def lines(*segments: str) -> str:
    return "\r".join(segments)


def report(*obx: str, head: tuple[str, ...] = (MSH, PID, OBR), end: str = "\r") -> Any:
    return read_oru(end.join([*head, *obx]) + end)


def value(obx: str) -> ObservedValue:
    (found,) = report(obx).values
    return found


def test_a_whole_result() -> None:
    read = report(
        "OBX|1|NM|3016-3^TSH^LN^T1^Thyrotropin^L|1|2.50|mIU/L^milli^UCUM|0.40-4.00|N|||F|||20310201083000.25-0800",
        "NTE|1|L|First note.~Second line.",
        "NTE|2|L|Another.",
    )
    assert read.patient.ids == ("int-1", "MR-7", "ord_1")
    assert (read.patient.last, read.patient.first, read.patient.sex) == ("Testcase", "Ada", "F")
    assert read.patient.birthday == date(1980, 1, 2)
    assert (read.placer_ids, read.filler_ids, read.control_ids) == (("ord_1",), ("acc-9",), ("ctl-1",))
    (one,) = read.values
    pacific = timezone(timedelta(hours=-8))
    assert (one.number, one.set_id, one.sub_id, one.panel) == (1, "1", "1", "Invented Panel")
    assert (one.analyte, one.code, one.loinc) == ("TSH", "3016-3", "3016-3")
    assert (one.value_text, one.value_number, one.units) == ("2.50", Decimal("2.50"), "mIU/L")
    assert (one.reference_range, one.flag, one.status) == ("0.40-4.00", "N", "F")
    assert (one.observed_at, one.zone) == (datetime(2031, 2, 1, 8, 30, 0, 250000, pacific), "given")
    assert one.comments == ("First note.\nSecond line.", "Another.")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n"])
def test_every_kind_of_line_end(end: str) -> None:
    read = report("OBX|1|NM|a||1", "OBX|2|NM|b||2", end=end)
    assert [one.value_text for one in read.values] == ["1", "2"]


def test_loinc_in_either_triplet_and_only_by_its_system() -> None:
    assert value("OBX|1|NM|T1^Thyrotropin^L^3016-3^TSH^LN||1").loinc == "3016-3"
    assert value("OBX|1|NM|T1^Thyrotropin^L^3016-3^TSH^LN||1").analyte == "Thyrotropin"
    assert value("OBX|1|NM|3016-3^TSH^L||1").loinc is None
    assert value("OBX|1|NM|^^^3016-3^TSH^LN||1").code == "3016-3"
    assert value("OBX|1|NM|T1||1").analyte == "T1"


@pytest.mark.parametrize(
    ("field", "text", "number"),
    [
        ("NM||5.40", "5.40", "5.40"),
        ("NM||-0.5", "-0.5", "-0.5"),
        ("NM||+3", "+3", "3"),
        ("NM||.5", ".5", "0.5"),
        ("NM||<5", "<5", None),
        ("ST||>100", ">100", None),
        ("ST||7.1", "7.1", "7.1"),
        ("NM||1,200", "1,200", None),
        ("NM||1E5", "1E5", None),
        ("NM||NaN", "NaN", None),
        ("NM||", "", None),
        ('NM||""', "", None),
        ("NM||\u0661", "\u0661", None),
        ("ST||1~2", "1\n2", None),
        ("DT||20310203", "20310203", None),
        ("TX||12", "12", None),
        ("||12", "12", "12"),
        ("ST||Not detected", "Not detected", None),
        ("SN||^5", "5", "5"),
        ("SN||=^5.5", "=5.5", "5.5"),
        ("SN||>^100", ">100", None),
        ("SN||<=^3", "<=3", None),
        ("SN||^1^:^128", "1:128", None),
        ("SN||^10^-^20", "10-20", None),
        ("SN||", "", None),
        ("CE||POS^Positive^L", "Positive", None),
        ("CWE||^^^^^^^^free words", "free words", None),
        ("CE||1^^L", "1", None),
        ("CE||A^Alpha~B^Beta", "Alpha; Beta", None),
        ("CWE||^^^X^Alternate^L", "Alternate", None),
        ("FT||one\\.br\\two", "one\ntwo", None),
        ("TX||line one~line two", "line one\nline two", None),
        ("TX||pH^high&low", "pH^high&low", None),
        ("XX||whatever", "whatever", None),
    ],
)
def test_values_as_text_and_number(field: str, text: str, number: str | None) -> None:
    kind, _, rest = field.partition("|")
    one = value(f"OBX|1|{kind}|c^Name{'|' + rest if rest else ''}")
    assert one.value_text == text
    assert one.value_number == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    ("written", "flag"),
    [
        ("N", "N"),
        ("h", "H"),
        ("LL", "LL"),
        ("AA", "AA"),
        ("HIGH", "H"),
        ("H~A", "H"),
        ("W~L", "L"),
        ("", None),
        ("POS", None),
        (">", None),
        ("H^High^HL70078", "H"),
    ],
)
def test_flags_of_table_0078(written: str, flag: str | None) -> None:
    assert value(f"OBX|1|NM|a||1|||{written}").flag == flag


def test_the_flag_as_written_is_kept() -> None:
    assert value("OBX|1|NM|a||1|||W~L").flag_text == "W L"


def test_escapes() -> None:
    one = value(
        "OBX|1|FT|c^N||\\F\\ \\S\\ \\T\\ \\R\\ \\E\\ \\X41\\\\XC3A9\\ \\XE9\\ \\H\\bold\\N\\ C:\\temp\\x"
    )
    assert one.value_text == "| ^ & ~ \\ Aé é bold C:\\temp\\x"


def test_hex_cannot_smuggle_a_nul_or_a_carriage_return() -> None:
    assert value("OBX|1|FT|c||a\\X000D0A\\b").value_text == "a\nb"


def test_repetitive_escapes_cost_nothing() -> None:
    assert value("OBX|1|FT|c||a\\.sp99999999999\\b").value_text == "a\\.sp99999999999\\b"


def test_times_fall_back_to_the_panel_and_say_their_zone() -> None:
    given, naive = value("OBX|1|NM|a||1"), value("OBX|1|NM|a||1|||||||||203102010900")
    assert (given.observed_at, given.zone) == (
        datetime(2031, 2, 1, 8, 15, tzinfo=timezone(timedelta(hours=-8))),
        "given",
    )
    assert (naive.observed_at, naive.zone) == (datetime(2031, 2, 1, 9, 0), "none")  # noqa: DTZ001 - it is naive


def test_the_header_s_zone_is_the_default_for_times_but_not_for_days() -> None:
    head = (MSH.replace("20310203101500", "20310203101500-0500"), PID, OBR)
    hour, day = report("OBX|1|NM|a||1|||||||||2031020109", "OBX|2|NM|b||1|||||||||20310201", head=head).values
    assert hour.zone == "message"
    assert hour.observed_at.utcoffset() == timedelta(hours=-5)
    assert (day.observed_at, day.zone) == (datetime(2031, 2, 1), "none")  # noqa: DTZ001 - it is naive


@pytest.mark.parametrize(
    "written",
    ["20311301", "2031020125", "31/01/2031", "203", "20310201+9999", "00010101000000+2300", "2031-02-01"],
)
def test_impossible_times_are_no_times(written: str) -> None:
    read = report(f"OBX|1|NM|a||1|||||||||{written}", head=(MSH, PID))
    assert (read.values[0].observed_at, read.values[0].zone) == (None, "none")


def test_several_panels_count_on_and_keep_their_times() -> None:
    read = report(
        "OBX|1|NM|a||1",
        "NTE|1||about a",
        "OBR|2|ord_1|acc-10|P2^Second^L|||20310202",
        "NTE|1||about the panel",
        "OBX|1|NM|a|2|3||||||P",
        "OBX|2|NM|a|3|4||||||C",
        "ZZZ|1|x",
    )
    assert [(one.number, one.set_id, one.sub_id, one.panel) for one in read.values] == [
        (1, "1", "", "Invented Panel"),
        (2, "1", "2", "Second"),
        (3, "2", "3", "Second"),
    ]
    assert [one.status for one in read.values] == ["", "P", "C"]
    assert read.values[0].comments == ("about a",)
    assert read.comments == ("about the panel",)
    assert read.filler_ids == ("acc-9", "acc-10")


def test_an_embedded_document_is_noted_and_not_dumped() -> None:
    packed = base64.b64encode(b"%PDF-1.4 invented").decode()
    read = report(
        f"OBX|1|ED|PDF^Report||LAB^application^PDF^Base64^{packed}", "OBX|2|RP|PDF||https://x.example/f^LAB"
    )
    assert [one.value_text for one in read.values] == ["[embedded document]", "[document kept elsewhere]"]
    (document,) = read.documents
    assert (document.number, document.kind, document.content) == (1, "PDF", b"%PDF-1.4 invented")
    assert packed not in repr(read)


def test_a_pdf_hidden_in_a_text_and_a_broken_document() -> None:
    packed = base64.b64encode(b"%PDF-1.4" + b" invented" * 60).decode()
    read = report(f"OBX|1|TX|a||{packed}", "OBX|2|ED|b||x^y^PDF^Base64^***")
    assert [one.value_text for one in read.values] == ["[embedded document]"] * 2
    assert [one.content is None for one in read.documents] == [False, True]


def test_a_text_broken_by_bare_line_ends_stays_whole() -> None:
    assert report("OBX|1|TX|a||first", "second half", end="\n").values[0].value_text == "first\nsecond half"


def test_frames_marks_and_old_separators() -> None:
    assert read_oru("\x0b" + lines(MSH, PID, "OBX|1|NM|a||1") + "\x1c\r").values[0].value_text == "1"
    assert read_oru("\ufeff" + MSH).values == ()
    other = "MSH#*~\\&#L#X#E#Y#20310203##ORU*R01#c#P#2.3\rOBX#1#CE#a*Name##P*Positive&x*L"
    assert read_oru(other).values[0].value_text == "Positive"
    assert read_oru(MSH.replace("^~\\&", "^~\\") + "\rOBX|1|NM|a||1").values[0].value_text == "1"


def test_a_batch_about_one_patient_is_one_report() -> None:
    one = [MSH, PID, OBR, "OBX|1|NM|a||1"]
    two = [MSH.replace("ctl-1", "ctl-2"), PID, OBR, "OBX|1|NM|b||2"]
    read = read_oru(lines("FHS|^~\\&", "BHS|^~\\&", *one, *two, "BTS|2", "FTS|1"))
    assert [(value.number, value.analyte) for value in read.values] == [(1, "a"), (2, "b")]
    assert read.control_ids == ("ctl-1", "ctl-2")


@pytest.mark.parametrize(
    "other",
    [
        "PID|1||OTHER^^^LAB||Testcase^Ada||19800102|F",
        "PID|1||MR-7||Testcase^Ada||19810102|F",
        "PID|1||MR-7||Other^Ada",
        "PID|1||MR-7||Testcase^Ada||19800102|M",
    ],
)
def test_two_patients_in_one_text_are_refused_whole(other: str) -> None:
    with pytest.raises(Hl7Unreadable, match="more than one patient"):
        read_oru(lines(MSH, PID, "OBX|1|NM|a||1", other, "OBX|1|NM|a||2"))
    with pytest.raises(Hl7Unreadable, match="more than one patient"):
        read_oru(lines(MSH, PID, "OBX|1|NM|a||1", MSH, other, "OBX|1|NM|a||2"))


def test_a_patient_said_twice_is_one() -> None:
    assert read_oru(lines(MSH, PID, "PID|1||MR-7||TESTCASE^ADA")).patient.first == "Ada"


def test_nobody_and_nothing() -> None:
    read = read_oru(MSH)
    assert (read.values, read.patient.ids, read.patient.birthday) == ((), (), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "Zebulon",
        "MSH",
        "MSH|",
        "MSH|^~",
        "MSH|||||",
        "MSHX^~\\&X",
        "MSH|^^\\&|Zebulon",
        "PID|1\rMSH|^~\\&|",
        MSH.replace("ORU", "ADT") + "\rPID|1||Zebulon",
        "\x00",
    ],
)
def test_unreadable_without_an_echo(text: str) -> None:
    with pytest.raises(Hl7Unreadable) as caught:
        read_oru(text)
    assert "Zebulon" not in str(caught.value)
    assert "Zebulon" not in repr(caught.value.__context__)
    assert caught.value.reason.endswith(".")


def test_nothing_of_the_result_shows_in_a_repr_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    bad = "OBX|1|ST|a||Zebulon\\Q\\\\X4\\\\\\\\.sp-x\\ Zebulon|Zebulon|Zebulon|Zebulon"
    shown = repr(report(bad, "NTE|1||Zebulon", "OBX|2|ST|b||Zebulon|mg|Zebulon|Zebulon"))
    assert shown.count("Zebulon") == 1  # the unit
    assert "Testcase" not in shown
    assert caplog.records == []


texts = st.text(
    alphabet=st.sampled_from([*"|^~\\&\r\n#\x00\ud800\u0661\xe9 .0123456789ABXNMSTEDHPIDORNFZ<>+-="]),
    max_size=200,
)
segments = st.builds(
    lambda name, fields: "|".join([name, *fields]),
    st.sampled_from(["OBX", "OBR", "PID", "NTE", "MSH", "ZZZ", "BTS", ""]),
    st.lists(
        st.sampled_from(
            [
                "1",
                "NM",
                "SN",
                "ED",
                "CE",
                "TX",
                "RP",
                "^~&",
                '""',
                "a^b^LN",
                "20310201",
                "\\X41",
                "\\.sp9999\\",
            ]
        )
        | texts,
        max_size=16,
    ),
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([MSH, "MSH|^~\\&|", "MSH|~^\\&|x", "BHS|^~\\&", ""]),
    st.lists(segments, max_size=8),
    st.sampled_from("\r\n"),
    texts,
)
def test_no_text_makes_it_crash(head: str, body: list[str], end: str, tail: str) -> None:
    try:
        read = read_oru(end.join([head, *body]) + tail)
    except Hl7Unreadable:
        return
    assert [one.number for one in read.values] == list(range(1, len(read.values) + 1))
    for one in read.values:
        for text in (one.value_text, one.analyte, one.units, one.flag_text, *one.comments):
            text.encode()
            assert "\x00" not in text
            assert "\r" not in text
        assert one.value_number is None or one.value_number.is_finite()
        assert one.flag in (None, "N", "H", "L", "HH", "LL", "A", "AA")


@settings(max_examples=200, deadline=None)
@given(texts | st.text(max_size=100))
def test_no_raw_text_makes_it_crash(text: str) -> None:
    for candidate in (text, "MSH" + text, MSH + "\r" + text):
        with suppress(Hl7Unreadable):
            read_oru(candidate)


def test_endless_texts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labbridge.mirror.hl7.MAX_SEGMENTS", 3)
    assert len(report("OBX|1|NM|a||1", head=(MSH,)).values) == 1
    with pytest.raises(Hl7Unreadable, match="too many segments"):
        report(*["OBX|1|NM|a||1"] * 3, head=(MSH,))
    monkeypatch.setattr("labbridge.mirror.hl7.MAX_CHARS", 10)
    with pytest.raises(Hl7Unreadable, match="too long"):
        read_oru(MSH)


@pytest.mark.parametrize(
    ("encoding", "data", "content"), [("Hex", "2550", b"%P"), ("A", "plain", b"plain"), ("Hex", "zz", None)]
)
def test_other_encodings_of_documents(encoding: str, data: str, content: bytes | None) -> None:
    (document,) = report(f"OBX|1|ED|a||x^y^TXT^{encoding}^{data}").documents
    assert document.content == content
