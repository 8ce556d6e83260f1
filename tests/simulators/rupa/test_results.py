"""Result files: PDFs, HL7, expiring addresses, amended and late results (rupa-api.md 8)."""

import base64
import hashlib
import io
import re

import hl7
import pypdf
import pytest

from labbridge.simulators.rupa import result_hl7, result_pdf, results

DUTCH = "DUTCH Complete"  # a lab that sends PDFs only
GENOVA = "GI Effects Comprehensive Profile - 3 Day"  # a lab that sends HL7 too
GENES = "MTHFR Genotyping"
BLOOD = "Comprehensive Metabolic Panel (14)"


def fetch(caller, url, **headers):
    assert url.startswith("http://localhost/files/")
    return caller.http.get(url.removeprefix("http://localhost"), headers=headers)


def text_of(content):
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


def resulted(caller, *names, **raw):
    order = caller.order(*names)
    caller.act(order, "result", all=True, **raw)
    return order, caller.shown(order)[1]


def message(text):
    return hl7.parse(text)


def test_the_pdf_is_a_report_of_that_test_and_patient(caller):
    order, (test,) = resulted(caller, DUTCH)
    answer = fetch(caller, test["results_pdf"])
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    text = text_of(answer.data)
    for expected in (
        "Precision Analytical",
        DUTCH,
        "Exampleson, Nora",
        order,
        "Estradiol (E2)",
        "ng/mg creat",
    ):
        assert expected in text
    assert "Simulated report" in text


def test_every_panel_makes_a_valid_pdf_and_hl7(caller):
    names = {
        test["panel"]: test["name"] for test in caller.sim.world.store.many("lab_test") if not test["parent"]
    }
    order = caller.order(*names.values(), submitted=False, paid=False)
    world = caller.sim.world
    doc = world.store.need("order", order)
    for test_id in doc["ordered_tests"]:
        test = world.store.need("ordered_test", test_id) | {"received_at": world.now()}
        for version in (1, 2, 3):
            facts = results.report(world, doc, test, version)
            assert len(pypdf.PdfReader(io.BytesIO(result_pdf.render(facts))).pages) in (1, 2)
            parsed = message(result_hl7.message(facts))
            assert len(parsed.segments("OBX")) == len(facts.observations) >= 5
    assert len(names) == 17


def test_a_version_is_the_same_bytes_each_time_and_another_version_is_not(caller):
    order, _ = resulted(caller, DUTCH, at="2031-02-03T10:15:00.000000-08:00")
    world = caller.sim.world
    doc = world.store.need("order", order)
    (test,) = [world.store.need("ordered_test", one) for one in doc["ordered_tests"]]
    one, again, two = (result_pdf.render(results.report(world, doc, test, n)) for n in (1, 1, 2))
    assert one == again != two
    assert hashlib.sha256(one).hexdigest() == test["versions"][0]["pdf"]["sha256"]


def test_which_labs_send_hl7(caller):
    _, (dutch, genova) = resulted(caller, DUTCH, GENOVA)
    assert (dutch["results_hl7"], bool(dutch["results_pdf"])) == (None, True)
    assert genova["results_hl7"].startswith("MSH|^~\\&|GENOVA DIAGNOSTICS|")
    assert genova["results_pdf"]


@pytest.mark.parametrize(("files", "pdf", "text"), [("pdf", 1, 0), ("hl7", 0, 1), ("pdf+hl7", 1, 1)])
def test_the_files_can_be_chosen(caller, files, pdf, text):
    _, (test,) = resulted(caller, DUTCH, files=files)
    assert (bool(test["results_pdf"]), bool(test["results_hl7"])) == (bool(pdf), bool(text))


def test_hl7_tells_the_same_as_the_pdf(caller):
    order, (test,) = resulted(caller, BLOOD)
    parsed = message(test["results_hl7"])
    assert "\n" not in test["results_hl7"]
    assert str(parsed.segment("MSH")[9]) == "ORU^R01^ORU_R01"
    pid = parsed.segment("PID")
    assert str(pid[5]) == "Exampleson^Nora"
    assert str(parsed.segment("ORC")[4]) == order
    obr = parsed.segment("OBR")
    assert (str(obr[4]), str(obr[25])) == (f"^{BLOOD}^L", "F")
    pdf = text_of(fetch(caller, test["results_pdf"]).data)
    flags = set()
    for n, obx in enumerate(parsed.segments("OBX"), 1):
        assert str(obx[1]) == str(n)
        assert str(obx[2]) == "NM"
        assert re.fullmatch(r"\d+-\d\^.+\^LN", str(obx[3]))
        assert str(obx[5]) in pdf
        assert str(obx[6])
        assert str(obx[11]) == "F"
        flags.add(str(obx[8]))
    assert flags <= {"N", "L", "H", "LL", "HH"}


def test_hl7_has_coded_values_sub_ids_escapes_and_comments(caller):
    texts = []
    for name in (GENOVA, GENES, "SIBO Profile - 3 Hour"):
        _, (test,) = resulted(caller, name, files="hl7")
        texts.append(test["results_hl7"])
    stool = message(texts[0])
    coded = [obx for obx in stool.segments("OBX") if str(obx[2]) == "CE"]
    sub_ids = [str(obx[4]) for obx in coded]
    assert len(coded) == 4
    assert len(set(sub_ids)) == 4
    assert {str(obx[8]) for obx in coded} <= {"N", "A"}
    assert any("\\.br\\" in str(note[3]) for note in stool.segments("NTE"))
    assert {str(obx[2]) for obx in message(texts[1]).segments("OBX")} <= {"ST", "CE"}


@pytest.mark.parametrize("text", ["a|b", "x^y", "p~q", "m&n", "back\\slash", "\\F\\", "plain"])
def test_escaping_is_undone_by_a_reader(text):
    parsed = message("MSH|^~\\&|A|B\rNTE|1|L|" + result_hl7.escaped(text) + "\r")
    assert parsed.unescape(str(parsed.segment("NTE")[3])) == text


def test_an_address_expires_and_the_order_mints_a_fresh_one(caller):
    caller.options(file_url_lifetime=60)
    order, (test,) = resulted(caller, DUTCH)
    assert fetch(caller, test["results_pdf"]).status_code == 200
    caller.advance(61)
    assert fetch(caller, test["results_pdf"]).status_code == 403
    fresh = caller.shown(order)[1][0]["results_pdf"]
    assert fresh != test["results_pdf"]
    assert fetch(caller, fresh).status_code == 200


def test_a_changed_address_is_refused(caller):
    _, (test,) = resulted(caller, DUTCH)
    url = test["results_pdf"]
    later = re.sub(r"expires=\d+", "expires=9999999999", url)
    for wrong in (later, url[:-1] + ("0" if url[-1] != "0" else "1"), url.split("?")[0]):
        assert fetch(caller, wrong).status_code == 403


def test_an_amended_result_replaces_the_file_and_the_old_address_still_works(caller):
    order, (before,) = resulted(caller, GENOVA)
    old = fetch(caller, before["results_pdf"]).data
    caller.advance(5)
    caller.act(order, "amend")
    after = caller.shown(order)[1][0]
    assert after["date_results_received_from_lab"] > before["date_results_received_from_lab"]
    new = fetch(caller, after["results_pdf"]).data
    assert new != old == fetch(caller, before["results_pdf"]).data
    assert "CORRECTED REPORT" in text_of(new)
    first, second = message(before["results_hl7"]), message(after["results_hl7"])
    assert str(second.segment("OBR")[25]) == "C"
    changed = [
        str(b[11])
        for a, b in zip(first.segments("OBX"), second.segments("OBX"), strict=True)
        if str(a[5]) != str(b[5])
    ]
    assert changed == ["C"]
    assert [event["type"] for event in caller.events()].count("order.new_result") == 2


def test_an_amended_result_may_keep_its_date(caller):
    order, (before,) = resulted(caller, DUTCH)
    caller.advance(5)
    caller.act(order, "amend", keep_received_date=True)
    after = caller.shown(order)[1][0]
    assert after["date_results_received_from_lab"] == before["date_results_received_from_lab"]
    assert fetch(caller, after["results_pdf"]).data != fetch(caller, before["results_pdf"]).data


@pytest.mark.parametrize("silent", [True, False])
def test_a_late_file(caller, silent):
    order = caller.order(DUTCH)
    caller.act(order, "late-file")
    (test,) = caller.shown(order)[1]
    assert test["date_results_received_from_lab"]
    assert test["results_pdf"] is None
    before = len(caller.events())
    caller.act(order, "late-file", silent=silent)
    assert len(caller.events()) == before + (not silent)
    after = caller.shown(order)[1][0]
    assert after["date_results_received_from_lab"] == test["date_results_received_from_lab"]
    assert fetch(caller, after["results_pdf"]).status_code == 200
    assert caller.http.post(f"/_sim/orders/{order}/late-file").status_code == 409


def test_content_in_place_of_an_address(caller):
    caller.options(results_pdf_as="base64")
    _, (test,) = resulted(caller, DUTCH)
    assert test["results_pdf"].startswith("JVBERi0")
    assert text_of(base64.b64decode(test["results_pdf"]))


def test_a_file_may_need_the_bearer(caller):
    caller.options(file_needs_bearer=True)
    _, (test,) = resulted(caller, DUTCH)
    assert fetch(caller, test["results_pdf"]).status_code == 401
    assert fetch(caller, test["results_pdf"], **caller.headers).status_code == 200


def test_files_may_be_something_else(caller):
    _, (test,) = resulted(caller, DUTCH)
    caller.options(file_content="html")
    assert fetch(caller, test["results_pdf"]).content_type.startswith("text/html")
    caller.options(file_content="huge", huge_bytes=1_000_000)
    assert 900_000 < len(fetch(caller, test["results_pdf"]).data) <= 1_000_000
    caller.options(file_content="empty")
    assert fetch(caller, test["results_pdf"]).data == b""


def test_files_may_lie_elsewhere(caller):
    _, (test,) = resulted(caller, DUTCH)
    caller.options(file_redirect_to="https://evil.example/x.pdf")
    turned = fetch(caller, test["results_pdf"])
    assert (turned.status_code, turned.location) == (302, "https://evil.example/x.pdf")
    caller.options(file_base_url="https://files.evil.example", file_redirect_to="")
    _, (other,) = resulted(caller, DUTCH)
    assert other["results_pdf"].startswith("https://files.evil.example/files/")


def test_a_file_name_holds_nothing_of_the_patient(caller):
    _, (test,) = resulted(caller, DUTCH)
    assert re.fullmatch(
        r"http://localhost/files/[0-9a-f]{24}\.pdf\?expires=\d+&signature=[0-9a-f]{64}", test["results_pdf"]
    )
