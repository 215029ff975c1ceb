//! Industries by province, and candidates for clusters: what the register of enterprises says.

use std::collections::BTreeMap;

use khoosheh::{demo, statistics, store::Files};
use serde_json::{Value, json};

use super::REPORTS;
use crate::{
    clusters::CLUSTERS,
    enterprises::enterprise,
    on_both,
    projects::{made, walk},
    support::{Answer, Client, Service, moment},
};

on_both!(
    industries_are_counted_by_province,
    what_is_for_publication_is_what_is_published,
    the_pivot_agrees_with_the_register,
    concentrated_industries_are_candidates,
    a_province_is_compared_with_itself,
    candidates_agree_with_the_register,
);

const ENTERPRISES: &str = "/api/v1/enterprises";

/// Beside the three enterprises of stone (2396) in Lorestan that the demonstration has, with 174 persons: two
/// of apparel (1410) there with 100, and in Kerman four of apparel with 300, and one of stone with 26.
async fn register(service: &Service) -> (Client, Client, Client) {
    demo::enrich(&service.database().await, &Files::open(&service.config).unwrap()).await.unwrap();
    let isipo = service.login("isipo").await;
    for (province, county, isic, employment, count) in [
        ("IR-15", "خرم‌آباد", "1410", 50, 2),
        ("IR-08", "کرمان", "1410", 75, 3),
        ("IR-08", "بم", "1410", 75, 1),
        ("IR-08", "بم", "2396", 26, 1),
    ] {
        for number in 0..count {
            let name = format!("واحد {isic} {county} {number}");
            let body = json!({"province": province, "name_fa": name, "county": county, "isic": [{"code": isic}], "employment_total": employment});
            assert_eq!(isipo.post(ENTERPRISES, body).await.status, 201);
        }
    }
    (isipo, service.login("kerman").await, service.login("lorestan").await)
}

async fn told(client: &Client, report: &str, query: &str) -> Answer {
    let answer = client.get(&format!("{REPORTS}/{report}?calendar=persian&{query}")).await;
    assert_eq!(answer.status, 200, "{report}?{query}: {}", answer.text);
    answer
}

fn cells(answer: &Answer, province: &str) -> Vec<Value> {
    let items = answer.body["items"].as_array().unwrap().iter().filter(|row| row["province"] == province);
    let names = ["clusters", "in_development", "developed", "enterprises", "employment", "suppressed"];
    items.map(|row| json!([row["isic"]["code"], names.map(|name| row[name].clone())])).collect()
}

async fn industries_are_counted_by_province(service: &Service) {
    let (isipo, kerman, lorestan) = register(service).await;
    let expected = [
        json!(["01", [1, 0, 1, 0, 0, false]]),
        json!(["13", [1, 1, 0, 0, 0, false]]),
        json!(["14", [0, 0, 0, 4, 300, false]]),
        json!(["23", [0, 0, 0, 1, 26, false]]),
    ];
    for client in [&isipo, &kerman] {
        assert_eq!(cells(&told(client, "industry-by-province", "province=IR-08").await, "IR-08"), expected);
    }
    assert_eq!(
        cells(&told(&lorestan, "industry-by-province", "province=IR-08").await, "IR-08"),
        Vec::<Value>::new()
    );
    let by_class = told(&kerman, "industry-by-province", "level=class&industry=C").await;
    let codes = ["1393", "1410", "2396"];
    assert_eq!(
        by_class.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["isic"]["code"].as_str().unwrap())
            .collect::<Vec<_>>(),
        codes
    );
    let by_section = told(&isipo, "industry-by-province", "level=section").await;
    // Of the eleven clusters of Lorestan six work in agriculture, five in manufacturing.
    let lorestan = cells(&by_section, "IR-15");
    assert_eq!(
        lorestan.iter().map(|cell| json!([cell[0], cell[1][0], cell[1][3]])).collect::<Vec<_>>(),
        [json!(["A", 6, 0]), json!(["C", 5, 5])]
    );
    let before = told(&isipo, "industry-by-province", "as_of=1394-12-28&province=IR-08").await;
    assert_eq!(before.body["totals"]["clusters"], 0, "the clusters of Kerman were identified by 1394-12-29");
    assert_eq!(told(&isipo, "industry-by-province", "known_at=2020-01-01T00:00:00Z").await.body["total"], 0);

    let olive = isipo.cluster_named("زیتون").await;
    let place = json!({"location": {"latitude": 33.5, "longitude": 48.25}});
    assert_eq!(isipo.patch(&format!("{CLUSTERS}/{}", olive.id()), "*", place).await.status, 200);
    let map = isipo
        .get(&format!("{REPORTS}/industry-by-province?format=geojson&province=IR-15&industry=0126"))
        .await;
    assert_eq!(
        map.body["features"][0]["geometry"],
        json!({"type": "MultiPoint", "coordinates": [[48.25, 33.5]]})
    );
    assert_eq!(map.body["features"][0]["properties"]["clusters"], 1);
}

async fn what_is_for_publication_is_what_is_published(service: &Service) {
    let (isipo, kerman, _) = register(service).await;
    let ask = async |report: &str, query: &str| {
        isipo.get(&format!("{REPORTS}/{report}?calendar=persian&for_publication=true&{query}")).await
    };
    let nothing = ask("industry-by-province", "").await;
    assert_eq!((nothing.status, nothing.errors()), (400, vec![("/as_of", "nothing_published")]));
    let db = service.database().await;
    // Of three makers of furniture in Kerman one has told how many it employs: their sum would be its number.
    for (name, employment) in [("یک", Some(50)), ("دو", None), ("سه", None)] {
        let furniture = enterprise(
            name,
            json!({"province": "IR-08", "isic": [{"code": "3100"}], "employment_total": employment}),
        );
        made(&isipo, ENTERPRISES, furniture).await;
    }
    assert!(statistics::publish(&db, "1404-Q1".parse().unwrap()).await.unwrap());
    // Four makers of apparel in Kerman would be told, were there not two in Lorestan: the country's six are.
    let public = ask("industry-by-province", "").await;
    let hidden = |code: &str| json!([code, [0, 0, 0, null, null, true]]);
    assert_eq!(
        cells(&public, "IR-08")[2..],
        [hidden("14"), hidden("23"), json!(["31", [0, 0, 0, 3, null, true]])]
    );
    let by_class = ask("industry-by-province", "level=class").await;
    assert!(
        cells(&by_class, "IR-08").contains(&json!(["1393", [1, 1, 0, 0, 0, false]])),
        "no enterprises are no secret"
    );
    let published =
        service.anonymous().get("/api/v1/public/statistics/1404-Q1/enterprises?level=division").await;
    for row in public.body["items"].as_array().unwrap() {
        let is_same = |cell: &&Value| cell["area"] == row["province"] && cell["isic"] == row["isic"]["code"];
        let figures = published.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(is_same)
            .map(|cell| [&cell["enterprises"], &cell["employment"]]);
        assert_eq!(
            [&row["enterprises"], &row["employment"]],
            figures.unwrap_or([&json!(0), &json!(0)]),
            "{row}"
        );
    }
    for (query, pointer) in [("industry=2396", "/industry"), ("known_at=2026-01-01T00:00:00Z", "/known_at")] {
        for (report, client) in [("industry-by-province", &kerman), ("cluster-candidates", &isipo)] {
            let refused = client.get(&format!("{REPORTS}/{report}?for_publication=true&{query}")).await;
            assert_eq!(
                (refused.status, refused.errors()),
                (400, vec![(pointer, "not_publishable")]),
                "{report} {query}"
            );
        }
    }
    let refused = ask("cluster-candidates", "area=county").await;
    assert_eq!((refused.status, refused.errors()), (400, vec![("/area", "not_publishable")]));

    for number in 0..5 {
        let firm = json!({"province": "IR-08", "isic": [{"code": "1610"}], "employment_total": 20 + number});
        made(&isipo, ENTERPRISES, enterprise(&format!("چوب {number}"), firm)).await;
    }
    let all = "min_firms=1&min_employment=0&min_quotient_percent=0";
    let held = ask("industry-by-province", "").await;
    assert_eq!(held.body, public.body, "what is published does not change with the register");
    assert!(
        ask("cluster-candidates", all).await.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["isic"]["code"] != "1610")
    );
    assert!(statistics::publish(&db, "1404-Q2".parse().unwrap()).await.unwrap());
    let path = format!("{REPORTS}/industry-by-province?calendar=persian&for_publication=true&");
    let renewed =
        isipo.send(isipo.request(reqwest::Method::GET, &path).header("if-none-match", held.etag())).await;
    assert_eq!(renewed.status, 200, "another quarter is another answer");
    let again =
        isipo.send(isipo.request(reqwest::Method::GET, &path).header("if-none-match", renewed.etag())).await;
    assert_eq!(again.status, 304);
    assert!(cells(&renewed, "IR-08").contains(&json!(["16", [0, 0, 0, 5, 110, false]])), "{}", renewed.text);
    assert_eq!(
        ask("industry-by-province", "as_of=1404-06-30").await.body["items"],
        public.body["items"],
        "the quarter that had ended by then"
    );
    let candidates = ask("cluster-candidates", all).await;
    let told: Vec<_> = candidates.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["isic"]["code"], row["firms"], row["employment"]]))
        .collect();
    assert!(told.contains(&json!(["1610", 5, 110])) && told.iter().all(|row| row[0] != "3100"), "{told:?}");
}

fn candidates(answer: &Answer) -> Vec<Value> {
    let names = ["province", "county", "firms", "employment", "quotient_firms", "quotient_employment"];
    answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["isic"]["code"], names.map(|name| row[name].clone())]))
        .collect()
}

async fn concentrated_industries_are_candidates(service: &Service) {
    let (isipo, ..) = register(service).await;
    // Of 10 enterprises 5 are in Kerman and 6 make apparel; of 600 persons 326, and 400.
    // (300/326) / (400/600) = 1.38037…, (4/5) / (6/10) = 1.3333…
    let apparel = json!(["1410", ["IR-08", null, 4, 300, "1.3333", "1.3804"]]);
    assert_eq!(
        candidates(&told(&isipo, "cluster-candidates", "min_firms=4").await),
        std::slice::from_ref(&apparel)
    );
    assert_eq!(
        candidates(&told(&isipo, "cluster-candidates", "min_firms=4&min_quotient_percent=139").await),
        Vec::<Value>::new()
    );
    assert_eq!(candidates(&told(&isipo, "cluster-candidates", "min_firms=5").await), Vec::<Value>::new());
    // (100/274) / (400/600) = 0.54744…, (2/5) / (6/10); (26/326) / (200/600) = 0.23926…, (1/5) / (4/10).
    // Stone of Lorestan is a cluster.
    let rest = [
        json!(["1410", ["IR-15", null, 2, 100, "0.6667", "0.5474"]]),
        json!(["2396", ["IR-08", null, 1, 26, "0.5", "0.2393"]]),
    ];
    let all = "min_firms=1&min_employment=0&min_quotient_percent=0";
    assert_eq!(
        candidates(&told(&isipo, "cluster-candidates", all).await),
        [vec![apparel.clone()], rest.to_vec()].concat()
    );
    assert_eq!(
        candidates(&told(&isipo, "cluster-candidates", &format!("{all}&province=IR-15")).await),
        [rest[0].clone()],
        "the whole stays the nation"
    );
    assert_eq!(
        candidates(&told(&isipo, "cluster-candidates", &format!("{all}&industry=23")).await),
        [rest[1].clone()]
    );
    let register =
        json!({"province": "IR-08", "name_fa": "پوشاک", "isic": [{"code": "0128"}, {"code": "1410"}]});
    assert_eq!(isipo.post(CLUSTERS, register).await.status, 201);
    assert_eq!(
        candidates(&told(&isipo, "cluster-candidates", all).await),
        rest,
        "what is a cluster, also by another class, is no candidate"
    );
}

async fn a_province_is_compared_with_itself(service: &Service) {
    let (isipo, kerman, _) = register(service).await;
    let all = "min_firms=1&min_employment=0&min_quotient_percent=0";
    let own = told(&kerman, "cluster-candidates", all).await;
    // Of 326 persons 300 make apparel; in the county of Kerman all 225, in Bam 75 of 101: (225/225) /
    // (300/326) and so on.
    let expected = [
        json!(["2396", ["IR-08", "بم", 1, 26, "2.5", "3.2277"]]),
        json!(["1410", ["IR-08", "کرمان", 3, 225, "1.25", "1.0867"]]),
        json!(["1410", ["IR-08", "بم", 1, 75, "0.625", "0.8069"]]),
    ];
    assert_eq!(
        (candidates(&own), &own.body["totals"]),
        (expected.to_vec(), &json!({"reference": "IR-08", "areas": 2}))
    );
    let refused = kerman.get(&format!("{REPORTS}/cluster-candidates?area=province")).await;
    assert_eq!((refused.status, refused.errors()), (400, vec![("/area", "outside_scope")]));
    // The nation's counties are compared with the nation: (26/101) / (200/600).
    let of_nation = told(&isipo, "cluster-candidates", &format!("{all}&area=county&industry=2396")).await;
    assert_eq!(candidates(&of_nation), [json!(["2396", ["IR-08", "بم", 1, 26, "1.25", "0.7723"]])]);
}

/// The enterprises of the list, by province and the beginning of their primary class: how many, and how many
/// persons.
async fn listed(client: &Client, digits: usize) -> BTreeMap<(String, String), (i64, i64)> {
    let mut cells = BTreeMap::new();
    for row in walk(client, &format!("{ENTERPRISES}?page_size=200")).await {
        let class =
            row["isic"].as_array().unwrap().iter().find(|class| class["primary"] == true).unwrap()["code"]
                .as_str()
                .unwrap();
        let cell: &mut (i64, i64) = cells
            .entry((row["province"].as_str().unwrap().to_owned(), class[..digits].to_owned()))
            .or_default();
        cell.0 += 1;
        cell.1 += row["employment_total"].as_i64().unwrap_or(0);
    }
    cells
}

async fn the_pivot_agrees_with_the_register(service: &Service) {
    let (isipo, kerman, lorestan) = register(service).await;
    let moment = moment();
    for client in [&isipo, &kerman, &lorestan] {
        pivot_agrees(client, &moment).await;
    }
    // What is learned later does not change what was known.
    let gone = isipo.get(ENTERPRISES).await.items("id")[0].to_owned();
    let before = told(&isipo, "industry-by-province", &format!("known_at={moment}")).await;
    let deleted = isipo.delete(&format!("{ENTERPRISES}/{gone}"), "*").await;
    let changed = if deleted.status == 204 {
        deleted
    } else {
        isipo.patch(&format!("{ENTERPRISES}/{gone}"), "*", json!({"employment_total": 49})).await
    };
    assert!(changed.status < 300, "{}", changed.text);
    assert_eq!(told(&isipo, "industry-by-province", &format!("known_at={moment}")).await.text, before.text);
    assert_ne!(told(&isipo, "industry-by-province", "").await.body["totals"], before.body["totals"]);
}

/// The pivot is what the list of enterprises comes to, as it is and as it was known at a moment of the
/// present; how many cells were compared.
pub async fn pivot_agrees(client: &Client, moment: &str) -> usize {
    let mut compared = 0;
    for (level, digits) in [("division", 2), ("group", 3), ("class", 4)] {
        let expected = listed(client, digits).await;
        for known in ["", &format!("&known_at={moment}")] {
            let pivot = told(client, "industry-by-province", &format!("level={level}{known}")).await;
            let mut found = BTreeMap::new();
            for row in pivot.body["items"].as_array().unwrap() {
                let firms = row["enterprises"].as_i64().unwrap();
                let key = (
                    row["province"].as_str().unwrap().to_owned(),
                    row["isic"]["code"].as_str().unwrap().to_owned(),
                );
                (firms > 0).then(|| found.insert(key, (firms, row["employment"].as_i64().unwrap())));
            }
            compared += found.len();
            assert_eq!(found, expected, "{level}{known}");
            let clusters = told(client, "identified-clusters", known.trim_start_matches('&')).await;
            assert_eq!(pivot.body["totals"]["clusters"], clusters.body["total"], "{level}{known}");
        }
    }
    compared
}

async fn candidates_agree_with_the_register(service: &Service) {
    let (isipo, ..) = register(service).await;
    candidates_agree(&isipo).await;
}

/// Quotients are those of the list of enterprises; how many were compared.
pub async fn candidates_agree(national: &Client) -> usize {
    let mut compared = 0;
    for digits in [2, 3, 4] {
        let cells = listed(national, digits).await;
        let sum = |keep: &dyn Fn(&(String, String)) -> bool| {
            cells
                .iter()
                .filter(|(key, _)| keep(key))
                .fold((0, 0), |sum, (_, cell)| (sum.0 + cell.0, sum.1 + cell.1))
        };
        let all = sum(&|_| true);
        let level = ["division", "group", "class"][digits - 2];
        let found = told(
            national,
            "cluster-candidates",
            &format!("level={level}&min_firms=1&min_employment=0&min_quotient_percent=0"),
        )
        .await;
        for row in found.body["items"].as_array().unwrap() {
            let key = (
                row["province"].as_str().unwrap().to_owned(),
                row["isic"]["code"].as_str().unwrap().to_owned(),
            );
            let (cell, area, industry) =
                (cells[&key], sum(&|(province, _)| *province == key.0), sum(&|(_, code)| *code == key.1));
            let quotient = |cell: i64, area: i64, industry: i64, all: i64| {
                (cell as f64 / area as f64) / (industry as f64 / all as f64)
            };
            for (name, expected) in [
                ("quotient_firms", quotient(cell.0, area.0, industry.0, all.0)),
                ("quotient_employment", quotient(cell.1, area.1, industry.1, all.1)),
            ] {
                let told: f64 = row[name].as_str().unwrap().parse().unwrap();
                assert!((told - expected).abs() <= 0.00005 + 1e-12, "{key:?}: {told} is not {expected}");
            }
        }
        compared += found.body["items"].as_array().unwrap().len();
    }
    compared
}
