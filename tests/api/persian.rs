//! What is Persian about the service: search, names, the order of the alphabet, the calendar, the language of
//! problems.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, claimed, cluster, register},
    on_both,
    support::{Answer, Client, Service},
};

on_both!(
    a_search_finds_every_spelling,
    a_name_is_unique_in_its_province_in_every_spelling,
    names_sort_as_in_a_persian_dictionary,
    alef_with_madda_comes_before_alef,
    text_is_kept_as_it_was_given,
    dates_come_in_and_go_out_in_both_calendars,
    the_history_speaks_the_calendar_asked_for,
    a_day_that_does_not_exist_is_refused_wherever_it_stands,
    problems_come_in_the_language_that_weighs_most,
    every_detail_of_a_problem_is_translated,
);

async fn search(client: &Client, text: &str) -> Vec<String> {
    let found = client
        .send(client.request(Method::GET, &format!("{CLUSTERS}?sort=code")).query(&[("q", text)]))
        .await;
    assert_eq!(found.status, 200, "{}", found.text);
    found.items("code").into_iter().map(str::to_owned).collect()
}

async fn a_search_finds_every_spelling(service: &Service) {
    let lorestan = service.login("lorestan").await;
    register(
        &lorestan,
        "ماشین‌های کشاورزی",
        json!({"code": "agri", "name_en": "Farm Machinery (Café)", "aliases": ["تراکتورسازی"]}),
    )
    .await;
    register(&lorestan, "شناسایی‌شدهٔ ۱۳۹۲", json!({"code": "year", "products": ["پنیرِ ليقوان"]})).await;
    for (found, spellings) in [
        (
            "agri",
            &[
                "کشاورزی",
                "كشاورزي",
                "ﻛﺸﺎورزى",
                "کِشاوَرزی",
                "کشـاورزی",
                "ماشین های",
                "ماشینهای",
                "کشا ماشی",
                "تراکتور",
                "FARM cafe",
                "کشاورزی،",
            ][..],
        ),
        ("year", &["۱۳۹۲", "1392", "١٣٩٢", "139", "شناسایی شده", "شناسائی", "لیقوان پنیر", "ليقوان"]),
        ("15-0004", &["قزل‌آلا", "قزل آلا", "قزلآلا", "قزلالا", "قزل", "آلا", "الا قزل", "قِزِل أَلا", "قزل\u{200d}آلا"]),
        ("15-0008", &["برنج‌کوبی", "برنج كوبي", "برنجکوبی", "Rice"]),
        ("15-0003", &["صنايع", "صنايع‌دستي"]),
    ] {
        for spelling in spellings {
            assert_eq!(search(&lorestan, spelling).await, [found], "{spelling}");
        }
    }
    for nothing in ["اورزی", "قزل سنگ", "۱۳۹۳", "لا"] {
        assert_eq!(search(&lorestan, nothing).await, [""; 0], "{nothing}");
    }
}

async fn a_name_is_unique_in_its_province_in_every_spelling(service: &Service) {
    let isipo = service.login("isipo").await;
    let taken = |answer: &Answer| {
        assert_eq!(
            (answer.status, answer.code(), answer.errors()),
            (409, "duplicate", vec![("/name_fa", "duplicate")])
        )
    };
    let other = register(&isipo, "ماهی", json!({})).await;
    for spelling in ["قزل‌آلا", "قزل آلا", "قزلآلا", "قزلالا", "قِزل-آلا", " قزل  آلا "]
    {
        taken(&isipo.post(CLUSTERS, cluster(spelling, json!({}))).await);
        taken(&isipo.patch(other.header("location"), "*", json!({"name_fa": spelling})).await);
    }
    assert_eq!(isipo.get(other.header("location")).await.version_tag(), "\"1\"");
    let elsewhere = register(&isipo, "قزل آلا", json!({"province": "IR-08"})).await;
    taken(&isipo.patch(elsewhere.header("location"), "*", json!({"province": "IR-15"})).await);

    let respelt = isipo.patch(elsewhere.header("location"), "*", json!({"name_fa": "قزلآلا"})).await;
    assert_eq!(
        (respelt.status, &respelt.body["name_fa"]),
        (200, &json!("قزلآلا")),
        "one may spell one's own name anew"
    );
}

async fn names_sort_as_in_a_persian_dictionary(service: &Service) {
    let isipo = service.login("isipo").await;
    let dictionary = [
        "۱۰۰ خوشه",
        "Zarand",
        "ابریشم",
        "بلور",
        "پسته",
        "پولاد",
        "تره",
        "ثعلب",
        "جارو",
        "چرم",
        "حصیر",
        "خرما",
        "دوغ",
        "ذرت",
        "رنگ",
        "زعفران",
        "ژلاتین",
        "سفال",
        "شیر",
        "صابون",
        "ضماد",
        "طلا",
        "ظروف",
        "عطر",
        "غلات",
        "فرش",
        "قند",
        "كاشي",
        "کاغذ",
        "گبه",
        "لاستیک",
        "موکت",
        "نمد",
        "ورق",
        "هلو",
        "یخچال",
    ];
    for index in 0..dictionary.len() {
        register(&isipo, dictionary[(index * 11 + 5) % dictionary.len()], json!({"province": "IR-00"})).await;
    }
    assert_eq!(
        isipo.get(&format!("{CLUSTERS}?province=IR-00&sort=name_fa&page_size=200")).await.items("name_fa"),
        dictionary
    );
    let reversed: Vec<&str> = dictionary.into_iter().rev().collect();
    assert_eq!(
        isipo.get(&format!("{CLUSTERS}?province=IR-00&sort=-name_fa&page_size=200")).await.items("name_fa"),
        reversed
    );
}

/// So in Dehkhoda's dictionary and in the Persian collation of Unicode CLDR.
async fn alef_with_madda_comes_before_alef(service: &Service) {
    let isipo = service.login("isipo").await;
    for name in ["اسب", "آهن", "ابریشم", "آب", "بلور", "آجر"] {
        register(&isipo, name, json!({"province": "IR-00"})).await;
    }
    let sorted = isipo.get(&format!("{CLUSTERS}?province=IR-00&sort=name_fa")).await;
    assert_eq!(sorted.items("name_fa"), ["آب", "آجر", "آهن", "ابریشم", "اسب", "بلور"]);
}

async fn text_is_kept_as_it_was_given(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let name = "كارخانه‌هاي پنیرِ ١٣٩٢ و ۱۳۹۲ـ ة ۀ هٔ";
    let kept = register(&lorestan, name, json!({"aliases": [name, "  پهلو به پهلو  "]})).await;
    assert_eq!(
        (&kept.body["name_fa"], &kept.body["aliases"]),
        (&json!(name), &json!([name, "  پهلو به پهلو  "]))
    );

    let (decomposed, composed) = ("ا\u{653}هن", "آهن");
    let more = json!({"name_en": "Cafe\u{301}", "external_refs": [{"system": "gis", "key": decomposed}]});
    let normal = register(&lorestan, decomposed, more).await;
    assert_eq!((&normal.body["name_fa"], &normal.body["name_en"]), (&json!(composed), &json!("Café")));
    assert_eq!(normal.body["external_refs"], json!([{"system": "gis", "key": composed}]));
    for key in [composed, decomposed] {
        assert_eq!(
            lorestan.get(&format!("{CLUSTERS}/by-ref/gis/{key}")).await.status,
            200,
            "a key in a path is text as well"
        );
    }
    let put = lorestan.put(&format!("{CLUSTERS}/by-ref/gis/2{decomposed}"), cluster("دیگر", json!({}))).await;
    assert_eq!(put.body["external_refs"], json!([{"system": "gis", "key": format!("2{composed}")}]));
}

async fn dates_come_in_and_go_out_in_both_calendars(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = claimed(&lorestan, "ورشو", json!({})).await;
    let path = created.header("location");
    let persian = format!("{path}?calendar=persian");
    let days = |answer: &Answer| {
        ["identified_on", "identified_not_later_than"]
            .map(|field| answer.body[field].as_str().unwrap().to_owned())
    };
    for (persian_day, gregorian_day) in [
        ("1392-12-29", "2014-03-20"),
        ("1393-01-01", "2014-03-21"),
        ("1403-12-30", "2025-03-20"),
        ("1404-01-01", "2025-03-21"),
        ("1300-01-01", "1921-03-21"),
    ] {
        for (to, day) in [(&persian[..], persian_day), (path, gregorian_day)] {
            let cleared =
                lorestan.patch(path, "*", json!({"identified_on": null, "identified_precision": null, "identified_not_later_than": null})).await;
            assert_eq!(cleared.body["identified_not_later_than"], Value::Null);
            let dated = lorestan.patch(to, "*", json!({"identified_on": day})).await;
            assert_eq!((dated.status, days(&dated)), (200, [day, day].map(str::to_owned)), "{}", dated.text);
            assert_eq!(days(&lorestan.get(path).await), [gregorian_day; 2]);
            assert_eq!(days(&lorestan.get(&persian).await), [persian_day; 2]);
        }
    }
    let moved = lorestan.send(
        lorestan
            .request(Method::POST, &format!("{path}/transitions?calendar=persian"))
            .header("if-match", "*")
            .json(&json!({"to": "identified", "effective_on": "1403-12-30"})),
    );
    assert_eq!(moved.await.status, 200);
    let list = lorestan.get(&format!("{CLUSTERS}?calendar=persian&identified_by=1300-01-01")).await;
    assert_eq!((list.items("name_fa"), list.items("identified_on")), (vec!["ورشو"], vec!["1300-01-01"]));
    assert!(list.items("updated_at")[0].starts_with("20"), "moments stay RFC 3339");
}

async fn the_history_speaks_the_calendar_asked_for(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = register(&lorestan, "ورشو", json!({"identified_on": "2014-03-20"})).await;
    lorestan.patch(created.header("location"), "*", json!({"identified_on": "2014-03-19"})).await;
    for (calendar, from, to) in
        [("gregorian", "2014-03-20", "2014-03-19"), ("persian", "1392-12-29", "1392-12-28")]
    {
        let history =
            lorestan.get(&format!("{}/history?calendar={calendar}", created.header("location"))).await;
        let changes = history.body["items"][1]["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["field"] == "identified_on").unwrap();
        assert_eq!(change, &json!({"field": "identified_on", "from": from, "to": to}));
    }
}

async fn a_day_that_does_not_exist_is_refused_wherever_it_stands(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = register(&lorestan, "ورشو", json!({})).await;
    let path = created.header("location");
    for (calendar, day) in [
        ("persian", "1392-12-30"),
        ("persian", "1404-12-30"),
        ("persian", "1392-07-31"),
        ("gregorian", "2014-02-29"),
        ("gregorian", "2014-13-01"),
    ] {
        let query = format!("?calendar={calendar}");
        let transition =
            lorestan.request(Method::POST, &format!("{path}/transitions{query}")).header("if-match", "*");
        for (answer, pointers) in [
            (
                lorestan
                    .post(&format!("{CLUSTERS}{query}"), cluster("نی", json!({"identified_on": day})))
                    .await,
                vec!["/identified_on"],
            ),
            (
                lorestan
                    .patch(
                        &format!("{path}{query}"),
                        "*",
                        json!({"identified_on": day, "identified_not_later_than": day}),
                    )
                    .await,
                vec!["/identified_not_later_than", "/identified_on"],
            ),
            (
                lorestan
                    .put(
                        &format!("{CLUSTERS}/by-ref/gis/1{query}"),
                        cluster("نی", json!({"identified_on": day})),
                    )
                    .await,
                vec!["/identified_on"],
            ),
            (
                lorestan.send(transition.json(&json!({"to": "identified", "effective_on": day}))).await,
                vec!["/effective_on"],
            ),
            (
                lorestan
                    .post(&format!("{path}/claims{query}"), json!({"source_title": "x", "claimed_on": day}))
                    .await,
                vec!["/claimed_on"],
            ),
        ] {
            let errors: Vec<_> = pointers.into_iter().map(|pointer| (pointer, "no_such_day")).collect();
            assert_eq!(
                (answer.status, answer.code(), answer.errors()),
                (422, "validation_failed", errors),
                "{day}: {}",
                answer.text
            );
        }
    }
    assert_eq!(lorestan.get(path).await.version_tag(), "\"1\"");
}

async fn in_language(client: &Client, accept: Option<&str>, request: reqwest::RequestBuilder) -> Answer {
    let (http, request) = request.build_split();
    let mut request = request.unwrap();
    request.headers_mut().remove("accept-language");
    if let Some(accept) = accept {
        request.headers_mut().insert("accept-language", accept.parse().unwrap());
    }
    client.send(reqwest::RequestBuilder::from_parts(http, request)).await
}

async fn problems_come_in_the_language_that_weighs_most(service: &Service) {
    let nobody = service.anonymous();
    for (accept, language) in [
        (None, "fa"),
        (Some("fa"), "fa"),
        (Some("en"), "en"),
        (Some("en-GB"), "en"),
        (Some("FA-ir"), "fa"),
        (Some("de"), "fa"),
        (Some("*"), "fa"),
        (Some("de, en"), "en"),
        (Some("fa;q=0.3, en;q=0.8"), "en"),
        (Some("en;q=0.1,fa"), "fa"),
        (Some("en;q=0.9, fa;q=0.901"), "fa"),
        (Some("de, en; q=0.5, fa; q=0.4"), "en"),
        (Some("en;q=0"), "fa"),
        (Some("fa;q=0, en;q=0.001"), "en"),
        (Some("en,fa"), "en"),
    ] {
        let refused = in_language(&nobody, accept, nobody.request(Method::GET, CLUSTERS)).await;
        let (title, detail) = match language {
            "fa" => ("ورود لازم است", "یک توکن دسترسی معتبر در سرآیند Authorization بفرستید."),
            _ => ("Authentication required", "Send a valid access token in the Authorization header."),
        };
        assert_eq!(
            (refused.status, refused.code(), refused.header("content-language")),
            (401, "unauthenticated", language),
            "{accept:?}"
        );
        assert_eq!(
            (&refused.body["title"], &refused.body["detail"]),
            (&json!(title), &json!(detail)),
            "{accept:?}"
        );
    }
}

async fn every_detail_of_a_problem_is_translated(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let wrong = json!({"province": "IR-99", "name_fa": "", "isic": [{"code": 5}], "x": 1, "identified_on": "1392-12-30", "employment_total": -1, "aliases": "x"});
    for (accept, is_persian) in [("fa", true), ("en", false)] {
        let request = lorestan.request(Method::POST, &format!("{CLUSTERS}?calendar=persian")).json(&wrong);
        let refused = in_language(&lorestan, Some(accept), request).await;
        assert_eq!((refused.status, refused.body["errors"].as_array().unwrap().len() >= 7), (422, true));
        for error in refused.body["errors"].as_array().unwrap() {
            let detail = error["detail"].as_str().unwrap();
            assert_eq!(
                detail.contains(|c: char| ('\u{600}'..'\u{700}').contains(&c)),
                is_persian,
                "{detail}"
            );
        }
        let day = refused.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|error| error["pointer"] == "/identified_on")
            .unwrap();
        assert!(day["detail"].as_str().unwrap().contains("1392-12-30"), "{day}");
    }
}
