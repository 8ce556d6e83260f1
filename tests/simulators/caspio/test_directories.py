import pytest

from labbridge.simulators.caspio import seed_practice


@pytest.fixture
def users(sim, rest):
    seed_practice(sim.account, patients=0)
    (directory,) = rest.get("/directories").json["Result"]
    assert (directory["Name"], directory["NumberOfUsers"]) == ("Staff", 4)
    return f"/directories/{directory['Id']}/users"


def test_users_carry_the_three_attributes_which_can_be_queried(rest, users):
    rows = rest.get(users, {"q.where": "_status='Active' AND Role='Biller'"}).json["Result"]
    assert [r["Email"] for r in rows] == ["bella@willow.example"]
    assert (rows[0]["_sign_in_method"], rows[0]["_2fa_status"]) == ("Caspio", "Disabled")
    grouped = rest.get(users, {"q.select": "_status, COUNT(*) AS n", "q.groupBy": "_status"}).json
    assert grouped["Result"] == [{"_status": "Active", "n": 4}]


def test_the_directory_is_a_table_without_the_attributes(rest, users):
    names = [f["Name"] for f in rest.get("/tables/Staff/fields").json["Result"]]
    assert "UserGUID" in names
    assert "_status" not in names
    assert "_status" not in rest.rows(table="Staff")[0]


def test_users_are_created_activated_changed_and_deleted(rest, users):
    made = rest.post(users, {"Email": "new@willow.example"}, {"response": "rows"})
    assert made.status_code == 201
    guid = made.json["Result"][0]["UserGUID"]
    url = rest.post(f"{users}/activate", {"UserGUID": guid, "SendEmail": False}).json["Result"]
    assert url["ActivationUrl"].startswith("https://c0abc123.caspio.com/")
    where = {"Where": "Email='new@willow.example'"}
    assert rest.put(users, {"Role": "Biller"}, where).json == {"UsersAffected": 1}
    assert rest.delete(users, where).json == {"UsersAffected": 1}
    assert rest.post(f"{users}/activate", {"UserGUID": guid}).status_code == 404


def test_an_active_user_is_a_conflict_and_attributes_are_for_reading(rest, users):
    guid = rest.rows("Email='ada@willow.example'", table="Staff")[0]["UserGUID"]
    assert rest.post(f"{users}/activate", {"UserGUID": guid}).status_code == 409
    assert rest.put(users, {"Role": "x"}, {"Where": "_status='Active'"}).status_code == 400
    assert rest.put(users, {"_status": "Active"}, {"Where": "1=1"}).status_code == 404
    assert rest.get("/directories/nope/users").status_code == 404
    assert rest.post(users, {"Email": "ada@willow.example"}).status_code == 400
