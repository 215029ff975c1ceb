//! The register of enterprises: their sizes, the firms behind them, and the clusters that they belong to.

use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    on_both,
    organisations::{ORGANISATIONS, lives_and_dies, register},
    projects::{made, named},
    support::{Answer, Client, Service},
};

on_both!(
    an_enterprise_from_registration_to_tombstone,
    every_field_of_an_enterprise_comes_back,
    the_size_follows_from_the_persons_employed,
    an_enterprise_is_of_the_province_of_its_cluster,
    a_firm_is_one_enterprise,
    enterprises_are_listed_and_found,
    another_system_puts_enterprises_by_its_own_keys,
);

pub const ENTERPRISES: &str = "/api/v1/enterprises";

/// What an enterprise of Lorestan needs; `more` adds to it.
pub fn enterprise(name: &str, more: Value) -> Value {
    let mut input = json!({"name_fa": name, "province": "IR-15", "isic": [{"code": "2396"}]});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn an_enterprise_from_registration_to_tombstone(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let empty = lorestan.post(ENTERPRISES, json!({})).await;
    assert_eq!(
        (empty.status, empty.errors()),
        (422, vec![("/isic", "required"), ("/name_fa", "required"), ("/province", "required")])
    );
    let created = made(&lorestan, ENTERPRISES, enterprise("سنگ‌بری", json!({}))).await;
    assert_eq!(created.header("location"), format!("{ENTERPRISES}/{}", created.id()));
    for field in [
        "organisation_id",
        "cluster_id",
        "name_en",
        "county",
        "location",
        "size",
        "employment_total",
        "member_from",
        "member_to",
    ] {
        assert_eq!(created.body[field], Value::Null, "{field}");
    }
    let history = lives_and_dies(&lorestan, &created, json!({"employment_total": 12})).await;
    let changes = history.body["items"][1]["changes"].clone();
    assert_eq!(
        changes,
        json!([{"field": "size", "from": null, "to": "small"}, {"field": "employment_total", "from": null, "to": 12}])
    );
}

async fn every_field_of_an_enterprise_comes_back(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let firm = register(&lorestan, "شرکت سنگ", json!({"province": "IR-15"})).await;
    let stone = lorestan.cluster_named("سنگ").await;
    let full = enterprise(
        "سنگ‌بري",
        json!({
            "organisation_id": firm.id(), "cluster_id": stone.id(), "name_en": "Stone works", "county": "ازنا",
            "location": {"latitude": 33.4878, "longitude": 48.3558}, "size": "large", "employment_total": 151, "employment_female": 151,
            "isic": [{"code": "2396", "primary": true}, {"code": "0810", "primary": false}], "member_from": "2014-03-21",
            "member_to": "2016-03-19", "external_refs": [{"system": "gis", "key": "E-5"}],
        }),
    );
    let created = made(&lorestan, ENTERPRISES, full.clone()).await;
    for (field, value) in full.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    let whole = lorestan
        .get(&format!("{}?include=organisation,cluster&calendar=persian", created.header("location")))
        .await;
    assert_eq!(
        (&whole.body["organisation"]["id"], &whole.body["cluster"]["id"]),
        (&json!(firm.id()), &json!(stone.id()))
    );
    assert_eq!(
        (&whole.body["member_from"], &whole.body["cluster"]["current_project"]["code"]),
        (&json!("1393-01-01"), &json!("15-P-0001"))
    );
    for (patch, errors) in [
        (json!({"member_to": "2014-03-20"}), vec![("/member_to", "too_early")]),
        (
            json!({"cluster_id": null}),
            vec![("/member_from", "not_applicable"), ("/member_to", "not_applicable")],
        ),
        (json!({"employment_female": 152}), vec![("/employment_female", "too_large")]),
        (json!({"employment_total": -1}), vec![("/employment_total", "too_small")]),
        (json!({"isic": []}), vec![("/isic", "too_few_items")]),
        (json!({"isic": [{"code": "2396"}, {"code": "2396"}]}), vec![("/isic/1/code", "repeated_items")]),
        (json!({"location": {"latitude": 91}}), vec![("/location/latitude", "too_large")]),
        (json!({"county": "…"}), vec![("/county", "wrong_pattern")]),
        (json!({"organisation": {}}), vec![("/organisation", "unknown_field")]),
    ] {
        let refused = lorestan.patch(created.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{patch}");
    }
}

async fn the_size_follows_from_the_persons_employed(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (employed, size) in [
        (0, "micro"),
        (9, "micro"),
        (10, "small"),
        (49, "small"),
        (50, "medium"),
        (150, "medium"),
        (151, "large"),
        (1_000_000, "large"),
    ] {
        let created =
            made(&lorestan, ENTERPRISES, enterprise("واحد", json!({"employment_total": employed}))).await;
        assert_eq!(created.body["size"], size, "{employed}");
        for given in ["micro", "small", "medium", "large"] {
            let answer = lorestan
                .post(ENTERPRISES, enterprise("واحد", json!({"employment_total": employed, "size": given})))
                .await;
            let expected =
                if given == size { (201, vec![]) } else { (422, vec![("/size", "contradiction")]) };
            assert_eq!((answer.status, answer.errors()), expected, "{given} with {employed}");
        }
    }
    let created = made(&lorestan, ENTERPRISES, enterprise("واحد", json!({"size": "medium"}))).await;
    for (patch, size) in [
        (json!({"name_en": "Unit"}), json!("medium")),
        (json!({"employment_total": 7}), Value::Null),
        (json!({"size": null, "employment_total": 7}), json!("micro")),
        (json!({"employment_total": 70}), json!("medium")),
        (json!({"name_en": "One"}), json!("medium")),
        (json!({"employment_total": null}), Value::Null),
        (json!({"size": "small"}), json!("small")),
    ] {
        let changed = lorestan.patch(created.header("location"), "*", patch.clone()).await;
        match changed.status {
            200 => assert_eq!(changed.body["size"], size, "{patch}"),
            _ => assert_eq!(
                (changed.errors(), size),
                (vec![("/size", "contradiction")], Value::Null),
                "{patch}"
            ),
        }
    }
}

async fn an_enterprise_is_of_the_province_of_its_cluster(service: &Service) {
    let [isipo, lorestan] = [service.login("isipo").await, service.login("lorestan").await];
    let (pistachio, olive) = (isipo.cluster_named("پسته").await, isipo.cluster_named("زیتون").await);
    let of_kerman = register(&isipo, "کرمانی", json!({"province": "IR-08"})).await;
    let bank = named(&isipo, ORGANISATIONS, "Bank").await;
    for (client, more, error) in [
        (&isipo, json!({"cluster_id": pistachio.id()}), ("/cluster_id", "other_province")),
        (&lorestan, json!({"cluster_id": pistachio.id()}), ("/cluster_id", "unknown_record")),
        (&isipo, json!({"organisation_id": of_kerman.id()}), ("/organisation_id", "other_province")),
        (&lorestan, json!({"organisation_id": of_kerman.id()}), ("/organisation_id", "unknown_record")),
        (&lorestan, json!({"organisation_id": bank}), ("/organisation_id", "not_a_firm")),
        (&lorestan, json!({"organisation_id": olive.id()}), ("/organisation_id", "unknown_record")),
    ] {
        let refused = client.post(ENTERPRISES, enterprise("واحد", more.clone())).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{more}");
    }
    let national = register(&isipo, "سراسری", json!({})).await;
    let member = made(
        &isipo,
        ENTERPRISES,
        enterprise("واحد", json!({"cluster_id": olive.id(), "organisation_id": national.id()})),
    )
    .await;
    let path = member.header("location");
    assert_eq!(
        isipo.patch(path, "*", json!({"province": "IR-08"})).await.errors(),
        [("/cluster_id", "other_province")]
    );
    let cluster = format!("{CLUSTERS}/{}", olive.id());
    assert_eq!(isipo.patch(&cluster, "*", json!({"province": "IR-08"})).await.code(), "moved_away");
    assert_eq!(lorestan.delete(&cluster, "*").await.body["referred_by"], json!(["enterprise"]));

    let firm = format!("{ORGANISATIONS}/{}", national.id());
    assert_eq!(isipo.patch(&firm, "*", json!({"province": "IR-08"})).await.code(), "moved_away");
    let refused = isipo.patch(&firm, "*", json!({"kind": "bank"})).await;
    assert_eq!((refused.code(), &refused.body["referred_by"]), ("still_referred_to", &json!(["enterprise"])));
    assert_eq!(isipo.delete(&firm, "*").await.body["referred_by"], json!(["enterprise"]));
    assert_eq!(isipo.patch(&firm, "*", json!({"province": "IR-15"})).await.status, 200);

    let left = isipo
        .patch(path, "*", json!({"cluster_id": null, "organisation_id": null, "province": "IR-08"}))
        .await;
    assert_eq!((left.status, &left.body["province"]), (200, &json!("IR-08")));
    assert_eq!(lorestan.get(path).await.status, 404);
    for done in [lorestan.delete(&cluster, "*").await, isipo.patch(&firm, "*", json!({"kind": "bank"})).await]
    {
        assert!(done.status < 300, "{}", done.text);
    }
}

async fn a_firm_is_one_enterprise(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let firm = register(&lorestan, "شرکت", json!({"province": "IR-15"})).await;
    let input = || enterprise("واحد", json!({"organisation_id": firm.id()}));
    let (one, other) = join(lorestan.post(ENTERPRISES, input()), lorestan.post(ENTERPRISES, input())).await;
    let (first, second) = if one.status == 201 { (one, other) } else { (other, one) };
    assert_eq!(
        (first.status, second.status, second.errors()),
        (201, 409, vec![("/organisation_id", "duplicate")]),
        "{}",
        second.text
    );
    let third = made(&lorestan, ENTERPRISES, enterprise("سومی", json!({}))).await;
    let taken = lorestan.patch(third.header("location"), "*", json!({"organisation_id": firm.id()})).await;
    assert_eq!((taken.status, taken.errors()), (409, vec![("/organisation_id", "duplicate")]));
    assert_eq!(lorestan.delete(first.header("location"), "*").await.status, 204);
    assert_eq!(
        lorestan.patch(third.header("location"), "*", json!({"organisation_id": firm.id()})).await.status,
        200,
        "it is free again"
    );
}

async fn enterprises_are_listed_and_found(service: &Service) {
    let isipo = service.login("isipo").await;
    let (stone, olive) = (isipo.cluster_named("سنگ").await, isipo.cluster_named("زیتون").await);
    let of = |cluster: &Answer, more: Value| {
        let mut more = more;
        more["cluster_id"] = json!(cluster.id());
        more
    };
    let a = json!({"employment_total": 60, "county": "ازنا", "member_from": "2014-03-21", "member_to": "2016-03-19"});
    let b = json!({"employment_total": 5, "county": "خرم آباد", "name_en": "Azna Marble", "member_from": "2015-03-21"});
    let c = json!({"isic": [{"code": "1040"}, {"code": "0126"}], "size": "small"});
    let mut all = Vec::new();
    for input in [
        enterprise("پ سنگ‌بري", of(&stone, a)),
        enterprise("الف مرمر", of(&stone, b)),
        enterprise("ب زیتون", of(&olive, c)),
        enterprise("ت کرمان", json!({"province": "IR-08", "isic": [{"code": "2599"}]})),
    ] {
        all.push(made(&isipo, ENTERPRISES, input).await);
    }
    let listed = async |client: &Client, query: &str| {
        let page =
            client.send(client.request(Method::GET, &format!("{ENTERPRISES}?count=true&{query}"))).await;
        let found = page
            .items("id")
            .iter()
            .map(|id| all.iter().position(|known| known.id() == *id).unwrap())
            .collect::<Vec<_>>();
        assert_eq!(page.body["total"], json!(found.len()), "{query}");
        found
    };
    for (query, expected) in [
        ("sort=name_fa", vec![1, 2, 0, 3]),
        ("sort=-name_fa,id", vec![3, 0, 2, 1]),
        ("sort=employment_total,id", vec![2, 3, 1, 0]),
        ("sort=-employment_total,-id", vec![0, 1, 3, 2]),
        ("sort=created_at", vec![0, 1, 2, 3]),
        ("sort=-updated_at", vec![3, 2, 1, 0]),
        (&format!("sort=id&cluster_id={}", stone.id()), vec![0, 1]),
        ("sort=id&province=IR-15", vec![0, 1, 2]),
        ("province=IR-08", vec![3]),
        ("sort=id&isic=2396", vec![0, 1]),
        ("sort=id&isic=C", vec![0, 1, 2, 3]),
        ("sort=id&isic=01,25", vec![2, 3]),
        ("size=medium", vec![0]),
        ("sort=id&size=micro,small", vec![1, 2]),
        ("county=خرم‌آباد", vec![1]),
        ("sort=id&county=خرم‌آباد,ازنا", vec![0, 1]),
        ("sort=id&member_on=2014-03-20", vec![2]),
        ("sort=id&member_on=2014-03-21", vec![0, 2]),
        ("sort=id&member_on=1394-12-29&calendar=persian", vec![0, 1, 2]),
        (&format!("member_on=2016-03-20&cluster_id={}", stone.id()), vec![1]),
        ("q=سنگ‌بری", vec![0]),
        ("q=azna", vec![1]),
        (&format!("sort=id&updated_since={}", all[2].body["updated_at"].as_str().unwrap()), vec![2, 3]),
    ] {
        assert_eq!(listed(&isipo, query).await, expected, "{query}");
    }
    let kerman = service.login("kerman").await;
    assert_eq!(listed(&kerman, "sort=id").await, [3]);
    assert_eq!(listed(&kerman, &format!("cluster_id={}", stone.id())).await, Vec::<usize>::new());
    for wrong in [
        "size=huge",
        "province=IR-99",
        "cluster_id=1",
        "member_on=yesterday",
        "isic=2397",
        "sort=size",
        "include=firm",
        "name_fa=x",
    ] {
        assert_eq!(isipo.get(&format!("{ENTERPRISES}?{wrong}")).await.status, 400, "{wrong}");
    }
    let page = isipo.get(&format!("{ENTERPRISES}?sort=id&include=cluster,organisation")).await;
    let clusters: Vec<_> =
        page.body["items"].as_array().unwrap().iter().map(|item| item["cluster"]["id"].as_str()).collect();
    assert_eq!(clusters, [Some(stone.id()), Some(stone.id()), Some(olive.id()), None]);
    let table = isipo
        .get(&format!("{ENTERPRISES}?sort=id&format=csv&fields=name_fa,size,isic,location&province=IR-08"))
        .await;
    assert_eq!(table.text, "name_fa,location.latitude,location.longitude,isic,size\r\nت کرمان,,,2599,\r\n");
}

async fn another_system_puts_enterprises_by_its_own_keys(service: &Service) {
    let integrator = service.login_integrator().await;
    let path = format!("{ENTERPRISES}/by-ref/behinyab/10061");
    let input = enterprise("سنگ‌بری", json!({"employment_total": 12, "size": "small"}));
    let created = integrator.put(&path, input.clone()).await;
    assert_eq!(
        (created.status, &created.body["external_refs"]),
        (201, &json!([{"system": "behinyab", "key": "10061"}])),
        "{}",
        created.text
    );
    assert_eq!(integrator.put(&path, input).await.code(), "precondition_required");
    let bare = enterprise("سنگ‌بری", json!({}));
    let replaced = integrator
        .send(integrator.request(Method::PUT, &path).header("if-match", created.etag()).json(&bare))
        .await;
    assert_eq!((replaced.status, replaced.id(), &replaced.body["size"]), (200, created.id(), &Value::Null));
    assert_eq!(integrator.get(&path).await.body, replaced.body);
    assert_eq!(service.login("kerman").await.get(&path).await.status, 404);
}
