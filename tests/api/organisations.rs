//! Organisations: national and provincial ones, what they are parts of, and what keeps them from being
//! deleted.

use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both,
    personal_data::in_script,
    support::{Answer, Client, Service},
};

on_both!(
    an_organisation_from_registration_to_tombstone,
    every_field_comes_back_as_it_was_given,
    organisations_are_listed_and_found,
    another_system_keeps_its_organisations,
    national_organisations_exist_for_everybody,
    nobody_is_a_part_of_itself,
    two_writers_make_no_cycle,
    a_parent_exists_for_its_author,
    an_organisation_in_use_stays,
    a_national_id_belongs_to_one_organisation,
);

pub const ORGANISATIONS: &str = "/api/v1/organisations";

/// A national id by the rule of its registrar: each digit, plus the tenth, plus 2, weighted; modulo 11, with
/// 10 taken as 0.
pub fn legal_id(serial: u32) -> String {
    let body = format!("140{serial:06}0");
    let weights = [29, 27, 23, 19, 17, 29, 27, 23, 19, 17];
    let sum: u32 =
        body.chars().zip(weights).map(|(digit, weight)| (digit.to_digit(10).unwrap() + 2) * weight).sum();
    format!("{body}{}", sum % 11 % 10)
}

/// Registers a firm; `more` adds to it.
pub async fn register(client: &Client, name: &str, more: Value) -> Answer {
    let created = attempt(client, name, more).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created
}

async fn attempt(client: &Client, name: &str, more: Value) -> Answer {
    let mut input = json!({"kind": "firm", "name_fa": name});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post(ORGANISATIONS, input).await
}

fn path(id: &str) -> String {
    format!("{ORGANISATIONS}/{id}")
}

async fn make_part(client: &Client, part: &Answer, parent: &str) -> Answer {
    client.patch(&path(part.id()), "*", json!({"parent_id": parent})).await
}

/// The demonstration's organisation of an English name.
async fn named(client: &Client, name: &str) -> Answer {
    let found = client.send(client.request(Method::GET, ORGANISATIONS).query(&[("q", name)])).await;
    client.get(&path(found.items("id")[0])).await
}

/// A new record is read, changed once and deleted, each by its ETag only; gives its history.
pub async fn lives_and_dies(client: &Client, created: &Answer, change: Value) -> Answer {
    let path = created.header("location");
    let mut plain = created.body.clone();
    plain.as_object_mut().unwrap().remove("client_secret");
    let read = client.get(path).await;
    assert_eq!((read.status, read.version_tag(), &read.body), (200, "\"1\"", &plain));
    let bare = client.send(client.request(Method::PATCH, path).json(&change)).await;
    assert_eq!((bare.status, bare.code(), bare.version_tag()), (428, "precondition_required", "\"1\""));
    let changed = client.patch(path, "\"1\"", change.clone()).await;
    assert_eq!((changed.status, changed.version_tag()), (200, "\"2\""), "{}", changed.text);
    for stale in [client.patch(path, "\"1\"", change.clone()).await, client.delete(path, "\"1\"").await] {
        assert_eq!((stale.status, stale.code(), stale.version_tag()), (412, "stale_version", "\"2\""));
    }
    assert_eq!(client.delete(path, "\"2\"").await.status, 204);
    assert_eq!((client.get(path).await.status, client.patch(path, "*", change).await.status), (404, 404));
    assert_eq!(client.delete(path, "\"1\"").await.status, 204, "repeating a deletion is no error");
    let (list, _) = path.rsplit_once('/').unwrap();
    assert!(!client.get(&format!("{list}?page_size=200")).await.text.contains(created.id()));
    let history = client.get(&format!("{path}/history")).await;
    assert_eq!(history.items("kind"), ["created", "updated", "deleted"]);
    assert_eq!(history.body["items"][2]["previous_hash"], history.body["items"][1]["hash"]);
    history
}

async fn an_organisation_from_registration_to_tombstone(service: &Service) {
    let isipo = service.login("isipo").await;
    let empty = isipo.post(ORGANISATIONS, json!({})).await;
    assert_eq!((empty.status, empty.errors()), (422, vec![("/kind", "required"), ("/name_fa", "required")]));
    let created = isipo.post(ORGANISATIONS, json!({"kind": "ministry", "name_fa": "وزارت راه"})).await;
    assert_eq!((created.status, created.version_tag()), (201, "\"1\""), "{}", created.text);
    assert_eq!(created.header("location"), path(created.id()));
    for field in ["name_en", "province", "legal_id", "parent_id", "phone", "email", "website", "address"] {
        assert_eq!(created.body[field], Value::Null, "{field}");
    }
    let history = lives_and_dies(&isipo, &created, json!({"name_en": "Roads", "kind": "agency"})).await;
    let mut told = history.body["items"][1]["changes"].clone();
    told.as_array_mut().unwrap().sort_by_key(|change| change["field"].to_string());
    assert_eq!(
        told,
        json!([{"field": "kind", "from": "ministry", "to": "agency"}, {"field": "name_en", "from": null, "to": "Roads"}])
    );
}

async fn every_field_comes_back_as_it_was_given(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let company = named(&lorestan, "Estates").await;
    let full = json!({
        "kind": "bds_provider", "name_fa": "مشاوران صنعت", "name_en": "Consultants", "province": "IR-15", "legal_id": legal_id(1),
        "parent_id": company.id(), "phone": "+986633201234", "email": "info@example.ir", "website": "https://example.ir/خوشه",
        "address": "خرم‌آباد", "external_refs": [{"system": "erp", "key": "O-1"}],
    });
    let created = lorestan.post(ORGANISATIONS, full.clone()).await;
    let read = lorestan.get(created.header("location")).await;
    assert_eq!((created.status, &read.body), (201, &created.body), "{}", created.text);
    let kept: serde_json::Map<_, _> =
        full.as_object().unwrap().keys().map(|field| (field.clone(), read.body[field].clone())).collect();
    assert_eq!(Value::Object(kept), full);
    let with_parent = lorestan.get(&format!("{}?include=parent", created.header("location"))).await;
    assert_eq!(with_parent.body["parent"], company.body);
    for (change, error) in [
        (json!({"kind": "guild"}), ("/kind", "not_in_list")),
        (json!({"name_fa": "!"}), ("/name_fa", "wrong_pattern")),
        (json!({"province": "IR-99"}), ("/province", "not_in_list")),
        (json!({"website": "javascript:alert(1)"}), ("/website", "wrong_pattern")),
        (json!({"parent": {}}), ("/parent", "unknown_field")),
    ] {
        let refused = lorestan.patch(created.header("location"), "*", change.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{change}");
    }
}

async fn organisations_are_listed_and_found(service: &Service) {
    let isipo = service.login("isipo").await;
    let bank = named(&isipo, "Bank").await;
    let part = register(
        &isipo,
        "یزد کاشی",
        json!({"province": "IR-21", "parent_id": bank.id(), "name_en": "=Tiles"}),
    )
    .await;
    let names = async |query: &str| {
        let list =
            isipo.send(isipo.request(Method::GET, &format!("{ORGANISATIONS}?fields=name_fa&{query}"))).await;
        list.items("name_fa")
            .into_iter()
            .map(|name| name.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = ["انجمن", "بانک", "دانشگاه", "سازمان", "شرکت", "یزد"];
    assert_eq!(names("sort=name_fa").await, all);
    let oldest_first = ["شرکت", "سازمان", "انجمن", "دانشگاه", "بانک", "یزد"];
    for (sort, expected) in [
        ("name_fa", all),
        ("created_at,id", oldest_first),
        ("id", oldest_first),
        ("updated_at,id", oldest_first),
    ] {
        assert_eq!(names(&format!("sort={sort}")).await, expected, "{sort}");
        let descending = sort.split(',').map(|key| format!("-{key}")).collect::<Vec<_>>().join(",");
        assert_eq!(
            names(&format!("sort={descending}")).await,
            expected.into_iter().rev().collect::<Vec<_>>(),
            "{descending}"
        );
    }
    for (filter, expected) in [
        ("kind=bank,firm", &["بانک", "یزد"][..]),
        ("province=IR-21", &["یزد"]),
        ("province=IR-15,IR-21", &["انجمن", "دانشگاه", "شرکت", "یزد"]),
        (&format!("parent_id={}", bank.id()), &["یزد"]),
        (&format!("parent_id={}", part.id()), &[]),
        ("q=كاشي", &["یزد"]),
        ("q=stone assoc", &["انجمن"]),
        ("kind=bank&province=IR-21", &[]),
        (&format!("updated_since={}", part.body["updated_at"].as_str().unwrap()), &["یزد"]),
    ] {
        assert_eq!(names(&format!("sort=name_fa&{filter}")).await, expected, "{filter}");
    }
    for wrong in ["kind=guild", "province=IR-99", "parent_id=1", "name=x", "sort=legal_id"] {
        assert_eq!(isipo.get(&format!("{ORGANISATIONS}?{wrong}")).await.status, 400, "{wrong}");
    }
    let page =
        isipo.get(&format!("{ORGANISATIONS}?sort=name_fa&page_size=4&count=true&include=parent")).await;
    assert_eq!((page.items("id").len(), &page.body["total"]), (4, &json!(6)));
    let next = format!(
        "{ORGANISATIONS}?sort=name_fa&page_size=4&include=parent&cursor={}",
        page.body["next_cursor"].as_str().unwrap()
    );
    let rest = isipo.get(&next).await;
    assert_eq!((rest.items("id").len(), &rest.body["items"][1]["parent"]["id"]), (2, &json!(bank.id())));
    assert_eq!(rest.body["items"][0]["parent"], Value::Null);

    let table = isipo
        .get(&format!(
            "{ORGANISATIONS}?kind=firm&format=csv&fields=kind,name_fa,name_en,province,parent_id,legal_id"
        ))
        .await;
    let expected = format!(
        "kind,name_fa,name_en,province,legal_id,parent_id\r\nfirm,یزد کاشی,'=Tiles,IR-21,,{}\r\n",
        bank.id()
    );
    assert_eq!(
        (table.header("content-type").split(';').next(), table.text.as_str()),
        (Some("text/csv"), expected.as_str())
    );
    let whole = isipo.get(&format!("{ORGANISATIONS}?format=csv&kind=ministry")).await;
    let columns = "id,version,created_at,created_by,updated_at,updated_by,external_refs,kind,name_fa,name_en,province,legal_id,parent_id,phone,email,website,address";
    assert_eq!(whole.text.trim_end(), columns, "an empty table has its columns");
}

async fn another_system_keeps_its_organisations(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let by_ref = format!("{ORGANISATIONS}/by-ref/erp/O-17");
    assert_eq!(lorestan.get(&by_ref).await.status, 404);
    let input = json!({"kind": "firm", "name_fa": "سنگ‌بری", "province": "IR-15", "address": "ازنا"});
    let created = lorestan.put(&by_ref, input.clone()).await;
    assert_eq!(
        (created.status, &created.body["external_refs"]),
        (201, &json!([{"system": "erp", "key": "O-17"}])),
        "{}",
        created.text
    );
    assert_eq!(lorestan.put(&by_ref, input).await.code(), "precondition_required");
    let replacement = json!({"kind": "firm", "name_fa": "سنگ‌بری ازنا", "province": "IR-15"});
    let put = async |client: &Client, etag: &str| {
        client.send(client.request(Method::PUT, &by_ref).header("if-match", etag).json(&replacement)).await
    };
    assert_eq!(put(&lorestan, "\"7\"").await.code(), "stale_version");
    let replaced = put(&lorestan, created.etag()).await;
    assert_eq!(
        (replaced.status, replaced.id(), &replaced.body["address"]),
        (200, created.id(), &Value::Null),
        "what is left out is emptied"
    );
    let read = lorestan.get(&by_ref).await;
    assert_eq!((read.etag(), &read.body), (replaced.etag(), &replaced.body));

    let kerman = service.login("kerman").await;
    assert_eq!(kerman.get(&by_ref).await.status, 404);
    let taken = kerman.put(&by_ref, json!({"kind": "firm", "name_fa": "سنگ‌بری", "province": "IR-08"})).await;
    assert_eq!((taken.status, taken.errors()), (409, vec![("/external_refs", "duplicate")]));
    assert_eq!(lorestan.delete(&path(created.id()), "*").await.status, 204);
    assert_eq!(lorestan.get(&by_ref).await.status, 404);
}

async fn national_organisations_exist_for_everybody(service: &Service) {
    let [isipo, lorestan, kerman] =
        [service.login("isipo").await, service.login("lorestan").await, service.login("kerman").await];
    let bank = named(&isipo, "Bank").await;
    let association = named(&lorestan, "Association").await;
    assert_eq!(kerman.get(&path(bank.id())).await.body["name_en"], "Bank of Industry and Mine");
    assert_eq!(
        kerman.get(&format!("{ORGANISATIONS}?sort=name_fa")).await.items("name_en"),
        ["Bank of Industry and Mine", "ISIPO"]
    );
    for answer in [
        kerman.get(&path(association.id())).await,
        kerman.get(&format!("{}/history", path(association.id()))).await,
        kerman.patch(&path(association.id()), "*", json!({"name_en": "x"})).await,
        kerman.delete(&path(association.id()), "*").await,
    ] {
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    for refused in [
        kerman.patch(&path(bank.id()), bank.etag(), json!({"name_en": "x"})).await,
        kerman.patch(&path(bank.id()), bank.etag(), json!({"province": "IR-08"})).await,
        kerman.delete(&path(bank.id()), bank.etag()).await,
        attempt(&kerman, "ملی", json!({})).await,
        attempt(&kerman, "لرستانی", json!({"province": "IR-15"})).await,
        lorestan.patch(&path(association.id()), "*", json!({"province": null})).await,
        lorestan.patch(&path(association.id()), "*", json!({"province": "IR-08"})).await,
    ] {
        assert_eq!((refused.status, refused.code()), (403, "outside_scope"), "{}", refused.text);
    }
    assert_eq!(isipo.get(&path(bank.id())).await.etag(), bank.etag());
    assert_eq!(
        service.login("ministry").await.patch(&path(bank.id()), "*", json!({"name_en": "x"})).await.code(),
        "forbidden"
    );
}

async fn nobody_is_a_part_of_itself(service: &Service) {
    let isipo = service.login("isipo").await;
    let mut chain = vec![register(&isipo, "سر", json!({})).await];
    for _ in 0..4 {
        let above = chain.last().unwrap().id().to_owned();
        chain.push(register(&isipo, "زیرمجموعه", json!({"parent_id": above})).await);
    }
    for below in &chain {
        let refused = make_part(&isipo, &chain[0], below.id()).await;
        assert_eq!(
            (refused.status, refused.errors()),
            (422, vec![("/parent_id", "cycle")]),
            "{}",
            refused.text
        );
    }
    assert_eq!(
        make_part(&isipo, &chain[1], chain[4].id()).await.errors(),
        [("/parent_id", "cycle")],
        "also further down"
    );
    assert_eq!(make_part(&isipo, &chain[4], chain[0].id()).await.status, 200, "a shorter way up is none");
    assert_eq!(isipo.patch(&path(chain[1].id()), "*", json!({"parent_id": null})).await.status, 200);
    assert_eq!(
        make_part(&isipo, &chain[0], chain[3].id()).await.status,
        200,
        "what is no longer below may stand above"
    );
}

async fn two_writers_make_no_cycle(service: &Service) {
    let isipo = service.login("isipo").await;
    for round in 0..10 {
        let (one, other) =
            (register(&isipo, "یک", json!({})).await, register(&isipo, "دیگری", json!({})).await);
        let (first, second) =
            join(make_part(&isipo, &one, other.id()), make_part(&isipo, &other, one.id())).await;
        let mut statuses = [first.status, second.status];
        statuses.sort();
        assert_eq!(statuses, [200, 422], "round {round}: {} {}", first.text, second.text);
    }
}

async fn a_parent_exists_for_its_author(service: &Service) {
    let [isipo, lorestan] = [service.login("isipo").await, service.login("lorestan").await];
    let of_kerman = register(&isipo, "کرمانی", json!({"province": "IR-08"})).await;
    let deleted = register(&isipo, "حذف‌شده", json!({})).await;
    isipo.delete(&path(deleted.id()), "*").await;
    let own = register(&lorestan, "لرستانی", json!({"province": "IR-15"})).await;
    for unknown in [of_kerman.id(), deleted.id(), &uuid::Uuid::now_v7().to_string()] {
        for refused in [
            make_part(&lorestan, &own, unknown).await,
            attempt(&lorestan, "نو", json!({"province": "IR-15", "parent_id": unknown})).await,
        ] {
            assert_eq!(
                (refused.status, refused.errors()),
                (422, vec![("/parent_id", "unknown_record")]),
                "{}",
                refused.text
            );
        }
    }
    let national = register(&isipo, "ملی", json!({"parent_id": of_kerman.id()})).await;
    let part = make_part(&lorestan, &own, national.id()).await;
    assert_eq!(part.status, 200, "the parent exists for the caller, whatever stands above it: {}", part.text);
    assert_eq!(
        lorestan.get(&format!("{}?include=parent", path(own.id()))).await.body["parent"]["id"],
        national.id()
    );
    let shown = lorestan.get(&format!("{}?include=parent", path(national.id()))).await;
    assert_eq!(
        (shown.status, &shown.body["parent"]),
        (200, &Value::Null),
        "nothing of another province is brought along"
    );
}

async fn an_organisation_in_use_stays(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let project = format!("/api/v1/projects/{}", lorestan.get("/api/v1/projects").await.items("id")[0]);
    let own = register(&lorestan, "همه‌کاره", json!({"province": "IR-15"})).await;
    let refused = async |expected: &[&str]| {
        let refused = lorestan.delete(&path(own.id()), "*").await;
        assert_eq!((refused.status, refused.code()), (409, "still_referred_to"), "{}", refused.text);
        let mut by: Vec<_> = refused.body["referred_by"]
            .as_array()
            .unwrap()
            .iter()
            .map(|table| table.as_str().unwrap())
            .collect();
        by.sort();
        assert_eq!(by, expected);
    };
    let part = register(&lorestan, "بخش", json!({"province": "IR-15", "parent_id": own.id()})).await;
    refused(&["organisation"]).await;
    let partner = lorestan
        .post(&format!("{project}/partners"), json!({"organisation_id": own.id(), "role": "x"}))
        .await;
    refused(&["organisation", "partner"]).await;
    let supervision = json!({"kind": "senior", "organisation_id": own.id(), "valid_from": "2014-05-01"});
    let supervision = lorestan.post(&format!("{project}/supervisions"), supervision).await;
    refused(&["organisation", "partner", "supervision"]).await;
    let (cluster, before) =
        (lorestan.cluster_named("عسل").await, lorestan.get(&project).await.body["organisation_id"].clone());
    let input = json!({"cluster_id": cluster.id(), "organisation_id": own.id(), "title_fa": "پروژهٔ عسل"});
    let other = lorestan.post("/api/v1/projects", input).await;
    refused(&["organisation", "partner", "project", "supervision"]).await;
    assert_eq!(lorestan.get(&path(own.id())).await.etag(), own.etag(), "nothing has happened to it");

    lorestan.patch(other.header("location"), "*", json!({"organisation_id": before})).await;
    for dependent in [partner.header("location"), supervision.header("location"), part.header("location")] {
        assert_eq!(lorestan.delete(dependent, "*").await.status, 204, "{dependent}");
    }
    assert_eq!(lorestan.delete(&path(own.id()), own.etag()).await.status, 204);
}

async fn a_national_id_belongs_to_one_organisation(service: &Service) {
    let [lorestan, kerman] = [service.login("lorestan").await, service.login("kerman").await];
    let (taken, free) = (legal_id(7), legal_id(8));
    let holder = register(&lorestan, "یک", json!({"province": "IR-15", "legal_id": taken})).await;
    let other = register(&kerman, "دو", json!({"province": "IR-08", "legal_id": free})).await;
    let persian = in_script(&taken, '۰');
    for refused in [
        attempt(&lorestan, "سه", json!({"province": "IR-15", "legal_id": taken})).await,
        attempt(&kerman, "سه", json!({"province": "IR-08", "legal_id": persian})).await,
        kerman.patch(&path(other.id()), "*", json!({"legal_id": persian})).await,
    ] {
        assert_eq!(
            (refused.status, refused.code(), refused.errors()),
            (409, "duplicate", vec![("/legal_id", "duplicate")])
        );
    }
    assert_eq!(lorestan.delete(&path(holder.id()), holder.etag()).await.status, 204);
    assert_eq!(
        kerman.patch(&path(other.id()), "*", json!({"legal_id": persian})).await.body["legal_id"],
        taken,
        "it is free again"
    );
    for name in ["چهار", "پنج"] {
        register(&lorestan, name, json!({"province": "IR-15"})).await;
    }
}
