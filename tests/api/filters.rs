//! Lists: their filters and formats.

use reqwest::Method;
use serde_json::json;

use crate::{
    clusters::{CLUSTERS, register},
    on_both,
    support::Service,
};

on_both!(
    filters_let_through_what_they_name,
    a_filter_that_is_not_understood_is_refused,
    a_table_has_stable_columns_and_no_formulas,
    the_format_is_negotiated,
);

async fn filters_let_through_what_they_name(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let olive = lorestan.cluster_named("زیتون").await;
    let path = format!("{CLUSTERS}/{}", olive.id());
    let changed = lorestan
        .patch(
            &path,
            "*",
            json!({"counties": ["خرم‌آباد", "ازنا"], "aliases": ["روغن"], "products": ["کنسانتره"]}),
        )
        .await;
    let (before, since) =
        (olive.body["updated_at"].as_str().unwrap(), changed.body["updated_at"].as_str().unwrap());
    let all: Vec<u32> = (1..=11).collect();
    for (filter, value, numbers) in [
        ("state", "in_development", vec![1]),
        ("state", "feasibility,in_development", vec![1, 2]),
        ("state", "candidate", vec![]),
        ("province", "IR-15", all.clone()),
        ("province", "IR-08,IR-00", vec![]),
        ("isic", "C", vec![1, 3, 5, 6, 8, 9, 10, 11]),
        ("isic", "A", vec![2, 4, 5, 7, 10, 11]),
        ("isic", "B", vec![1]),
        ("isic", "23", vec![1]),
        ("isic", "239", vec![1]),
        ("isic", "2396", vec![1]),
        ("isic", "10", vec![5, 6, 8, 10]),
        ("isic", "1080,0149", vec![2, 6]),
        ("county", "ازنا", vec![5]),
        ("county", "خرم آباد", vec![5]),
        ("county", "خرم", vec![]),
        ("identified_by", "2014-03-19", vec![]),
        ("identified_by", "2014-03-20", all.clone()),
        ("updated_since", since, vec![5]),
        ("updated_since", before, all),
        ("updated_since", "2100-01-01T00:00:00+03:30", vec![]),
        ("q", "روغن", vec![5]),
        ("q", "کنسانتره زیتون", vec![5]),
        ("q", "زیتون سنگ", vec![]),
        ("q", "plastic", vec![9]),
        ("q", "15-0007", vec![7]),
    ] {
        let page = lorestan
            .send(
                lorestan
                    .request(Method::GET, &format!("{CLUSTERS}?sort=code&count=true"))
                    .query(&[(filter, value)]),
            )
            .await;
        let codes: Vec<String> = numbers.iter().map(|number| format!("15-{number:04}")).collect();
        assert_eq!(
            (page.status, page.items("code"), &page.body["total"]),
            (200, codes.iter().map(String::as_str).collect(), &json!(codes.len())),
            "{filter}={value}"
        );
    }
    let several =
        lorestan.get(&format!("{CLUSTERS}?sort=code&isic=C&state=identified&identified_by=1392-12-29&calendar=persian&province=IR-15")).await;
    assert_eq!(several.items("name_en")[..2], ["Handicrafts", "Olive"]);
}

async fn a_filter_that_is_not_understood_is_refused(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (query, errors) in [
        ("colour=red", vec![("/colour", "unknown_parameter")]),
        ("State=identified", vec![("/State", "unknown_parameter")]),
        ("state=dead", vec![("/state/0", "not_in_list")]),
        ("state=", vec![("/state/0", "not_in_list")]),
        ("state=identified,identifed", vec![("/state/1", "not_in_list")]),
        ("state=identified&state=feasible", vec![("/state", "repeated")]),
        (
            "province=IR-99&x=1&y=2",
            vec![("/province/0", "not_in_list"), ("/x", "unknown_parameter"), ("/y", "unknown_parameter")],
        ),
        ("isic=ZZ", vec![("/isic/0", "not_in_list")]),
        ("isic=C,9999", vec![("/isic/1", "not_in_list")]),
        ("county=%21", vec![("/county/0", "wrong_pattern")]),
        ("identified_by=2014-02-29", vec![("/identified_by", "no_such_day")]),
        ("updated_since=2014-02-01", vec![("/updated_since", "wrong_format")]),
        ("q=", vec![("/q", "wrong_pattern")]),
        ("q=a%00", vec![("/q", "nul_character")]),
        ("calendar=islamic", vec![("/calendar", "not_in_list")]),
    ] {
        let refused = lorestan.get(&format!("{CLUSTERS}?{query}")).await;
        assert_eq!(
            (refused.code(), refused.errors()),
            (if query.contains("02-29") { "validation_failed" } else { "invalid_parameter" }, errors),
            "{query}"
        );
    }
    for nothing in ["!", "ء", "؟ -"] {
        let found = lorestan.send(lorestan.request(Method::GET, CLUSTERS).query(&[("q", nothing)])).await;
        let is_nothing = found.status == 400 || found.items("id").is_empty();
        assert!(is_nothing, "a search for {nothing} that is dropped shows what nobody asked for");
    }
}

async fn a_table_has_stable_columns_and_no_formulas(service: &Service) {
    let isipo = service.login("isipo").await;
    let more = json!({"province": "IR-00", "name_en": "+1+1", "aliases": ["@a", "b\"c"], "location": {"latitude": -1.5, "longitude": 57.5}, "export_usd": "7"});
    let created = register(&isipo, "=سنگ+۱", more).await;
    let table =
        isipo.get(&format!("{CLUSTERS}?format=csv&sort=province,code&page_size=1&calendar=persian")).await;
    assert_eq!(
        (table.header("content-type"), table.header("content-disposition")),
        ("text/csv; charset=utf-8; header=present", "attachment; filename=\"list_clusters.csv\"")
    );
    assert!(table.header("link").contains("format=csv"), "a table has pages as well");
    let columns = "id,version,created_at,created_by,updated_at,updated_by,external_refs,code,name_fa,name_en,aliases,province,counties,\
                   location.latitude,location.longitude,products,isic,state,allowed_transitions,identified_on,identified_precision,\
                   identified_not_later_than,employment_total,employment_female,annual_turnover_irr,export_usd,\
                   firms_by_size.micro,firms_by_size.small,firms_by_size.medium,firms_by_size.large,challenges,opportunities,\
                   priority_scores.importance,priority_scores.promotability,priority_scores.viability,priority_scores.sustainability,\
                   current_project.id,current_project.code,current_project.title_fa,current_project.state";
    let info = ["id", "version", "created_at", "created_by", "updated_at", "updated_by"]
        .map(|field| created.body[field].to_string().replace('"', ""));
    let row = "00-0001,'=سنگ+۱,'+1+1,\"'@a;b\"\"c\",IR-00,,-1.5,57.5,,2396,candidate,identified;merged;split;withdrawn,,,,,,,7,,,,,,,,,,,,,,";
    assert_eq!(table.text, format!("{columns}\r\n{},,{row}\r\n", info.join(",")));
    let lorestan = service.login("lorestan").await;
    let own = lorestan.get(&format!("{CLUSTERS}?format=csv")).await;
    assert_eq!(
        (own.text.lines().count(), own.text.contains("IR-0")),
        (12, false),
        "the scope holds in tables too"
    );
    assert_eq!(own.text.lines().next(), table.text.lines().next());
}

async fn the_format_is_negotiated(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    for (path, accept, given) in [
        (CLUSTERS, "text/csv", "text/csv"),
        (CLUSTERS, "application/json", "application/json"),
        (CLUSTERS, "text/csv;q=0.5, application/json;q=0.1", "text/csv"),
        (CLUSTERS, "text/csv;q=0.5, */*", "application/json"),
        (CLUSTERS, "text/*", "text/csv"),
        (CLUSTERS, "application/xml, */*;q=0.1", "application/json"),
        (&stone, "*/*", "application/json"),
        (&format!("{CLUSTERS}?format=json"), "text/csv", "application/json"),
        (&format!("{CLUSTERS}?format=csv"), "application/xml", "text/csv"),
    ] {
        let answer = lorestan.send(lorestan.request(Method::GET, path).header("accept", accept)).await;
        assert_eq!(
            (answer.status, answer.header("content-type").split(';').next()),
            (200, Some(given)),
            "{path} {accept}"
        );
    }
    for (path, accept) in [
        (CLUSTERS, "application/xml"),
        (CLUSTERS, "application/json;q=0, image/png"),
        (stone.as_str(), "text/csv"),
    ] {
        let refused = lorestan.send(lorestan.request(Method::GET, path).header("accept", accept)).await;
        assert_eq!((refused.status, refused.code()), (406, "not_acceptable"), "{path} {accept}");
    }
}
