//! Personal data: what is one at all, how it is kept, and who sees it in clear.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api_clients::client_with,
    cdas::{self, CDAS, national_code},
    imports::{faults, import},
    on_both,
    organisations::{self, ORGANISATIONS, legal_id},
    projects::stone,
    support::{Answer, Client, Service},
};

on_both!(
    a_national_code_is_checked,
    a_national_id_is_checked,
    phone_numbers_are_kept_in_e164,
    email_addresses_are_checked,
    personal_data_is_shown_to_those_who_need_it,
    a_blind_writer_destroys_nothing,
    a_masked_value_is_no_value,
    masked_and_clear_answers_are_two_representations,
    nobody_is_found_by_a_number,
    an_import_tells_no_national_id,
    nobody_learns_who_is_registered,
);

/// The text with its digits in another script, whose zero is given.
pub fn in_script(text: &str, zero: char) -> String {
    text.chars()
        .map(|c| c.to_digit(10).map_or(c, |digit| char::from_u32(u32::from(zero) + digit).unwrap()))
        .collect()
}

/// Patches one field with each value: it is kept as told, or refused as `wrong_format` where nothing is told.
async fn try_values<'a>(
    client: &Client,
    path: &str,
    field: &str,
    cases: impl IntoIterator<Item = (String, Option<&'a str>)>,
) {
    let pointer = format!("/{field}");
    let mut wrong = Vec::new();
    for (value, kept) in cases {
        let answer = client.patch(path, "*", json!({ field: value })).await;
        let is_right = match kept {
            Some(kept) => answer.status == 200 && answer.body[field] == kept,
            None => answer.status == 422 && answer.errors() == [(pointer.as_str(), "wrong_format")],
        };
        if !is_right {
            wrong.push(format!("{value:?}: {} {} {:?}", answer.status, answer.body[field], answer.errors()));
        }
    }
    assert!(wrong.is_empty(), "{field}: {wrong:#?}");
}

/// Of ten numbers that differ in the last digit one is right, in whichever script it is written.
async fn try_check_digits(client: &Client, path: &str, field: &str, right: impl Fn(u32) -> String) {
    for (serial, zero) in [(7, '0'), (123_456, '۰'), (909_090, '٠'), (240_013, '۰')] {
        let right = right(serial);
        let cases = (0..10).map(|digit| format!("{}{digit}", &right[..right.len() - 1]));
        try_values(
            client,
            path,
            field,
            cases.map(|case| (in_script(&case, zero), (case == right).then_some(right.as_str()))),
        )
        .await;
    }
    let right = right(77);
    let mixed = format!("{}{}", &right[..4], in_script(&right[4..], '۰'));
    try_values(client, path, field, [(mixed, Some(right.as_str()))]).await;
    let wrong = [
        right[1..].to_owned(),
        format!("{right}0"),
        format!(" {right}"),
        format!("{}-{}", &right[..3], &right[3..]),
        in_script(&right, '০'),
    ];
    try_values(
        client,
        path,
        field,
        wrong.into_iter().chain(["".into(), "x".into()]).map(|case| (case, None)),
    )
    .await;
    let number = client.patch(path, "*", json!({ field: 19 })).await;
    assert_eq!(number.errors(), [(format!("/{field}").as_str(), "wrong_type")]);
}

async fn a_national_code_is_checked(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let cda = cdas::register(&lorestan, json!({})).await;
    try_check_digits(&lorestan, cda.header("location"), "national_code", national_code).await;
    // Ten equal digits fulfil the rule of the check digit, and are given to nobody.
    let equal = (0..10).map(|digit| (digit.to_string().repeat(10), None));
    try_values(&lorestan, cda.header("location"), "national_code", equal).await;
}

async fn a_national_id_is_checked(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let firm = organisations::register(&lorestan, "سنگ‌بری", json!({"province": "IR-15"})).await;
    try_check_digits(&lorestan, firm.header("location"), "legal_id", legal_id).await;
    let known = ("10380284790".to_owned(), Some("10380284790"));
    try_values(&lorestan, firm.header("location"), "legal_id", [known, ("00000000000".to_owned(), None)])
        .await;
}

async fn phone_numbers_are_kept_in_e164(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let cda = cdas::register(&lorestan, json!({})).await;
    let mobile = [
        "09121234567",
        "+989121234567",
        "00989121234567",
        "۰۹۱۲۱۲۳۴۵۶۷",
        "٠٩١٢ ١٢٣ ٤٥٦٧",
        "+۹۸۹۱۲۱۲۳۴۵۶۷",
        "(0912) 123-4567",
    ];
    let others = [
        ("06633201234", Some("+986633201234")),
        ("021 8888 7777", Some("+982188887777")),
        ("+493012345678", Some("+493012345678")),
        ("0049 30 12345678", Some("+493012345678")),
        ("+44 20 7946 0958", Some("+442079460958")),
        ("", None),
        ("abc", None),
        ("+", None),
        ("110", None),
        ("0912123456", None),
        ("091212345678", None),
        ("+9999999999999", None),
        ("call 09121234567", None),
        ("09121234567 or 09127654321", None),
        ("0912CALLNOW", None),
    ];
    let cases = mobile.iter().map(|spelling| (*spelling, Some("+989121234567"))).chain(others);
    let cases: Vec<_> = cases.map(|(value, kept)| (value.to_owned(), kept)).collect();
    try_values(&lorestan, cda.header("location"), "mobile", cases.clone()).await;
    let firm = organisations::register(&lorestan, "سنگ‌بری", json!({"province": "IR-15"})).await;
    try_values(&lorestan, firm.header("location"), "phone", cases).await;
}

async fn email_addresses_are_checked(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let cda = cdas::register(&lorestan, json!({})).await;
    let (longest, too_long) =
        (format!("{}@example.ir", "a".repeat(64)), format!("{}@example.ir", "a".repeat(65)));
    let cases = [
        ("cda@example.ir", Some("cda@example.ir")),
        ("First.Last+x@Sub.Example.IR", Some("First.Last+x@sub.example.ir")),
        (&longest, Some(longest.as_str())),
        (&too_long, None),
        ("", None),
        ("cda", None),
        ("cda@", None),
        ("@example.ir", None),
        ("cda@example", None),
        ("c da@example.ir", None),
        ("cda@example..ir", None),
        ("cda@@example.ir", None),
        (".cda@example.ir", None),
        ("CDA <cda@example.ir>", None),
        ("cda@[127.0.0.1]", None),
        ("cda@example.ir, x@example.ir", None),
        ("\"cda@x\"@example.ir", None),
    ];
    try_values(
        &lorestan,
        cda.header("location"),
        "email",
        cases.map(|(value, kept)| (value.to_owned(), kept)),
    )
    .await;
    // The server of an address has 190 characters at the most.
    let label = "d".repeat(60);
    for (last, status) in [(4, 200), (5, 422)] {
        let server = format!("{label}.{label}.{label}.{}.ir", "e".repeat(last));
        let answer =
            lorestan.patch(cda.header("location"), "*", json!({"email": format!("c@{server}")})).await;
        assert_eq!((server.len(), answer.status), (186 + last, status), "{}", answer.text);
    }
}

/// The personal data of [`people`], before and after a change, and what is shown of it to others.
const CLEAR: [&str; 6] = [
    "+989121234567",
    "+989131112233",
    "first@example.ir",
    "second@example.com",
    "+982188887777",
    "office@example.ir",
];
const MASKED: [&str; 6] = [
    "+**********67",
    "+**********33",
    "***@example.ir",
    "***@example.com",
    "+**********77",
    "***@example.ir",
];

/// The lead CDA and the executing organisation of the stone project, with references and personal data that
/// has changed once.
async fn people(service: &Service) -> [Answer; 2] {
    let lorestan = service.login("lorestan").await;
    let cda = format!("{CDAS}/{}", cdas::sample(&lorestan).await.id());
    let project = lorestan.get("/api/v1/projects").await;
    let company = format!("{ORGANISATIONS}/{}", project.items("organisation_id")[0]);
    let reference = |key: &str| json!([{"system": "erp", "key": key}]);
    let first = json!({"national_code": national_code(1), "mobile": CLEAR[0], "email": CLEAR[2], "external_refs": reference("C")});
    lorestan.patch(&cda, "*", first).await;
    lorestan.patch(&company, "*", json!({"legal_id": legal_id(1), "external_refs": reference("O")})).await;
    let cda = lorestan
        .patch(&cda, "*", json!({"national_code": national_code(2), "mobile": CLEAR[1], "email": CLEAR[3]}))
        .await;
    let company = lorestan
        .patch(&company, "*", json!({"legal_id": legal_id(2), "phone": CLEAR[4], "email": CLEAR[5]}))
        .await;
    organisations::register(&lorestan, "شعبه", json!({"province": "IR-15", "parent_id": company.id()})).await;
    [
        lorestan.get(&format!("{CDAS}/{}", cda.id())).await,
        lorestan.get(&format!("{ORGANISATIONS}/{}", company.id())).await,
    ]
}

async fn personal_data_is_shown_to_those_who_need_it(service: &Service) {
    let admin = service.login("admin").await;
    let [cda, company] = people(service).await.map(|record| record.id().to_owned());
    let codes = [national_code(1), national_code(2), legal_id(1), legal_id(2)];
    let stars = |code: &String| format!("{}{}", "*".repeat(code.len() - 4), &code[code.len() - 4..]);
    let mut clear: Vec<_> = CLEAR.map(str::to_owned).into();
    let mut masked: Vec<_> = MASKED.map(str::to_owned).into();
    clear.extend(codes.clone());
    masked.extend(codes.iter().map(stars));
    // What of the lists above each answer shows: of the CDA the present, of the company the present, and what
    // was before.
    let (of_cda, of_company) = (vec![1, 3, 7], vec![4, 5, 9]);
    let (ever_cda, ever_company) = (vec![0, 1, 2, 3, 6, 7], vec![4, 5, 8, 9]);
    let places = [
        (format!("{CDAS}/{cda}"), &of_cda),
        (CDAS.to_owned(), &of_cda),
        (format!("{CDAS}?format=csv"), &of_cda),
        (format!("{CDAS}?fields=national_code,mobile,email"), &of_cda),
        (format!("{CDAS}/{cda}?fields=national_code,mobile,email&calendar=persian"), &of_cda),
        (format!("{CDAS}/by-ref/erp/C"), &of_cda),
        (format!("{CDAS}/{cda}/history"), &ever_cda),
        (format!("{CDAS}/{cda}/history?format=csv"), &ever_cda),
        ("/api/v1/projects?include=lead_cda".to_owned(), &of_cda),
        ("/api/v1/projects?include=lead_cda&fields=lead_cda".to_owned(), &of_cda),
        ("/api/v1/projects?include=organisation".to_owned(), &of_company),
        (format!("{ORGANISATIONS}/{company}"), &of_company),
        (format!("{ORGANISATIONS}?kind=provincial_company"), &of_company),
        (format!("{ORGANISATIONS}?kind=provincial_company&format=csv"), &of_company),
        (format!("{ORGANISATIONS}?kind=firm&include=parent&fields=parent"), &of_company),
        (format!("{ORGANISATIONS}/by-ref/erp/O"), &of_company),
        (format!("{ORGANISATIONS}/{company}/history"), &ever_company),
    ];
    let scopes = ["organisations:read", "cdas:read", "cdas:write", "projects:read"];
    let (_, blind) = client_with(&admin, "blind", &scopes, json!("IR-15")).await;
    let (_, seeing) =
        client_with(&admin, "seeing", &[&scopes[..], &["personal-data:read"]].concat(), Value::Null).await;
    let mut readers = vec![
        ("blind", blind, false),
        ("seeing", seeing, true),
        ("integrator", service.login_integrator().await, true),
    ];
    for (name, sees) in [("admin", true), ("isipo", true), ("lorestan", true)] {
        readers.push((name, service.login(name).await, sees));
    }
    for name in ["ministry", "lorestan-viewer", "supervisor", "cda"] {
        readers.push((name, service.login(name).await, false));
    }
    for (name, reader, sees) in readers {
        for (place, expected) in &places {
            let answer = reader.get(place).await;
            assert_eq!(answer.status, 200, "{name} {place}: {}", answer.text);
            let (shown, hidden) = if sees { (&clear, &masked) } else { (&masked, &clear) };
            for index in expected.iter() {
                assert!(
                    answer.text.contains(&shown[*index]),
                    "{name} {place} lacks {}: {}",
                    shown[*index],
                    answer.text
                );
            }
            for value in hidden {
                assert!(
                    !answer.text.contains(value.as_str()),
                    "{name} {place} shows {value}: {}",
                    answer.text
                );
            }
        }
    }
}

async fn a_blind_writer_destroys_nothing(service: &Service) {
    let [admin, lorestan] = [service.login("admin").await, service.login("lorestan").await];
    let [before, _] = people(service).await;
    let path = format!("{CDAS}/{}", before.id());
    let assignments = format!("{}/assignments", stone(&lorestan).await);
    let led = lorestan.get(&assignments).await.items("id")[0].to_owned();
    assert_eq!(lorestan.delete(&format!("{assignments}/{led}"), "*").await.status, 204);
    let (_, blind) = client_with(&admin, "blind", &["cdas:read", "cdas:write"], json!("IR-15")).await;
    let changed = blind.patch(&path, blind.get(&path).await.etag(), json!({"education": "دکتری"})).await;
    assert_eq!(
        (changed.status, &changed.body["mobile"], &changed.body["email"]),
        (200, &json!(MASKED[1]), &json!(MASKED[3])),
        "{}",
        changed.text
    );
    let moved = blind.transition(&path, changed.etag(), json!({"to": "expired"})).await;
    assert_eq!(
        (moved.status, &moved.body["national_code"]),
        (200, &changed.body["national_code"]),
        "{}",
        moved.text
    );
    let after = lorestan.get(&path).await;
    for field in ["national_code", "mobile", "email"] {
        assert_eq!(after.body[field], before.body[field], "{field}");
    }
    assert_eq!((&after.body["education"], &after.body["state"]), (&json!("دکتری"), &json!("expired")));

    // What it writes itself it does not read again.
    let written = blind.patch(&path, "*", json!({"mobile": CLEAR[0]})).await;
    assert_eq!((written.status, &written.body["mobile"]), (200, &json!(MASKED[0])), "{}", written.text);
}

/// Whether somebody has a national code or a national id is told to those only who may see such, and only of
/// their province.
async fn nobody_learns_who_is_registered(service: &Service) {
    let [admin, lorestan, kerman] =
        [service.login("admin").await, service.login("lorestan").await, service.login("kerman").await];
    let (taken, free) = (national_code(901), national_code(902));
    let input =
        |code: &str, province: &str| json!({"national_code": code, "name_fa": "نو", "province": province});
    let registered = lorestan.post(CDAS, input(&taken, "IR-15")).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let scopes = ["cdas:read", "cdas:write", "organisations:read", "organisations:write"];
    let (_, blind) = client_with(&admin, "blind", &scopes, json!("IR-15")).await;
    let own = registered.header("location");
    for code in [&taken, &free] {
        // Also the one that is the record's own: the answer would say so.
        for refused in [
            blind.post(CDAS, input(code, "IR-15")).await,
            blind.patch(own, "*", json!({"national_code": code})).await,
        ] {
            assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{}", refused.text);
            assert!(
                refused.body["detail"].as_str().unwrap().contains("personal-data:read"),
                "{}",
                refused.text
            );
        }
    }
    for serial in [77, 78] {
        let firm =
            json!({"kind": "firm", "name_fa": "نمونه", "province": "IR-15", "legal_id": legal_id(serial)});
        assert_eq!(blind.post(ORGANISATIONS, firm).await.code(), "forbidden");
    }
    // Another province has a CDA of its own of the same code; in one's own it is known.
    for code in [&taken, &free] {
        assert_eq!(kerman.post(CDAS, input(code, "IR-08")).await.status, 201);
    }
    let twice = lorestan.post(CDAS, input(&taken, "IR-15")).await;
    assert_eq!(
        (twice.status, twice.errors()),
        (409, vec![("/national_code", "duplicate")]),
        "{}",
        twice.text
    );
}

async fn a_masked_value_is_no_value(service: &Service) {
    let admin = service.login("admin").await;
    let [cda, company] = people(service).await;
    let scopes = ["organisations:read", "organisations:write", "cdas:read", "cdas:write"];
    let (_, blind) = client_with(&admin, "blind", &scopes, json!("IR-15")).await;
    for (list, record, fields, reference) in [
        (CDAS, &cda, ["national_code", "mobile", "email"], "C"),
        (ORGANISATIONS, &company, ["legal_id", "phone", "email"], "O"),
    ] {
        let path = format!("{list}/{}", record.id());
        let read = blind.get(&path).await;
        for field in fields {
            let refused = blind.patch(&path, read.etag(), json!({ field: read.body[field] })).await;
            let pointer = format!("/{field}");
            assert_eq!(
                (refused.status, refused.errors()),
                (422, vec![(pointer.as_str(), "wrong_format")]),
                "{}",
                refused.text
            );
        }
        let mut whole = read.body.clone();
        let given = [
            "id",
            "version",
            "created_at",
            "created_by",
            "updated_at",
            "updated_by",
            "state",
            "allowed_transitions",
        ];
        whole
            .as_object_mut()
            .unwrap()
            .retain(|field, value| !value.is_null() && !given.contains(&field.as_str()));
        let request = blind
            .request(Method::PUT, &format!("{list}/by-ref/erp/{reference}"))
            .header("if-match", read.etag())
            .json(&whole);
        let refused = blind.send(request).await;
        assert_eq!((refused.status, refused.errors().len()), (422, 3), "{}", refused.text);
        assert_eq!(admin.get(&path).await.body, record.body);
    }
}

async fn masked_and_clear_answers_are_two_representations(service: &Service) {
    let [lorestan, viewer] = [service.login("lorestan").await, service.login("lorestan-viewer").await];
    let [cda, company] = people(service).await;
    for (path, history) in [
        (format!("{CDAS}/{}", cda.id()), "cdas"),
        (format!("{ORGANISATIONS}/{}", company.id()), "organisations"),
    ] {
        for place in [
            path.clone(),
            format!("{path}/history"),
            format!("/api/v1/{history}"),
            format!("/api/v1/{history}?format=csv"),
        ] {
            let (clear, masked) = (lorestan.get(&place).await, viewer.get(&place).await);
            assert_ne!(clear.etag(), masked.etag(), "{place}");
            for (client, own, other) in [(&lorestan, &clear, &masked), (&viewer, &masked, &clear)] {
                let known = async |etag: &str| {
                    client
                        .send(client.request(Method::GET, &place).header("if-none-match", etag))
                        .await
                        .status
                };
                assert_eq!((known(own.etag()).await, known(other.etag()).await), (304, 200), "{place}");
            }
        }
        let masked = viewer.get(&path).await;
        let changed = lorestan.patch(&path, masked.etag(), json!({"name_en": "Renamed"})).await;
        assert_eq!(changed.status, 200, "either names the version: {}", changed.text);
        assert_eq!(
            lorestan.patch(&path, masked.etag(), json!({"name_en": "Again"})).await.code(),
            "stale_version"
        );
        assert_eq!(lorestan.patch(&path, changed.etag(), json!({"name_en": "Again"})).await.status, 200);
    }
}

async fn nobody_is_found_by_a_number(service: &Service) {
    let [lorestan, viewer] = [service.login("lorestan").await, service.login("lorestan-viewer").await];
    people(service).await;
    let found = async |client: &Client, list: &str, query: &str| {
        client.send(client.request(Method::GET, list).query(&[("q", query)])).await.body["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (found(&viewer, CDAS, "sample").await, found(&viewer, ORGANISATIONS, "estates").await),
        (1, 1),
        "by their names they are"
    );
    for (list, numbers) in [
        (
            CDAS,
            [national_code(2), national_code(2)[..9].to_owned(), CLEAR[1].to_owned(), CLEAR[3].to_owned()],
        ),
        (ORGANISATIONS, [legal_id(2), legal_id(2)[..6].to_owned(), CLEAR[4].to_owned(), CLEAR[5].to_owned()]),
    ] {
        for number in numbers {
            assert_eq!(
                (found(&lorestan, list, &number).await, found(&viewer, list, &number).await),
                (0, 0),
                "{number}"
            );
        }
    }
    let sparse = viewer.get(&format!("{CDAS}?national_code={}", national_code(2))).await;
    assert_eq!(sparse.status, 400, "nor is there such a filter");
}

/// Whoever may not see national ids gets the same answer for one of a firm, of another organisation, of none,
/// and of another province.
async fn an_import_tells_no_national_id(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    for (serial, kind, province) in [(81, "firm", "IR-15"), (82, "bank", "IR-15")] {
        organisations::register(
            &lorestan,
            "نمونه",
            json!({"province": province, "legal_id": legal_id(serial), "kind": kind}),
        )
        .await;
    }
    let scopes = ["imports:write", "enterprises:read", "enterprises:write", "organisations:read"];
    let (_, blind) = client_with(&admin, "blind", &scopes, json!("IR-15")).await;
    let (_, seeing) =
        client_with(&admin, "seeing", &[&scopes[..], &["personal-data:read"]].concat(), json!("IR-15")).await;
    let outcome = async |client: &Client, serial: u32| {
        let file = format!(
            "key,name_fa,province,isic,organisation_legal_id\nE{serial},نمونه,IR-15,1393,{}\n",
            legal_id(serial)
        );
        let (_, rows) =
            import(client, "resource=enterprises&mode=validate&system=erp", "text/csv", file).await;
        faults(&rows[0]).iter().map(|(column, code)| format!("{column} {code}")).collect::<Vec<_>>()
    };
    for serial in [81, 82, 83] {
        assert_eq!(outcome(&blind, serial).await, ["organisation_legal_id not_permitted"], "{serial}");
    }
    assert_eq!(outcome(&seeing, 81).await, Vec::<String>::new());
    assert_eq!(outcome(&seeing, 83).await, ["organisation_legal_id unknown_record"]);
}
