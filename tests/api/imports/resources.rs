//! What becomes of files of each kind.

use reqwest::Method;
use serde_json::{Value, json};

use super::{CSV, IMPORTS, NDJSON, counts, faults, import};
use crate::{
    clusters::CLUSTERS,
    on_both,
    organisations::{legal_id, register},
    support::Service,
};

on_both!(
    a_persian_table_of_clusters_is_read_as_it_was_written,
    a_row_says_only_what_is_to_change,
    every_kind_of_record_can_be_imported,
    the_headings_of_every_template_are_known,
);

/// As a spreadsheet of a provincial office has it: semicolons, Arabic letters, digits of both kinds, Persian
/// days.
const TABLE: &str = "\u{feff}شناسه در سامانه مبدأ;نام فارسي;نام استان;کد استان;شهرستان‌ها;کدهاي ISIC;تاریخ شناسایی;دقت تاریخ شناسایی;شمار شاغلان;گردش مالی سالانه (ریال);عرض جغرافیایی;طول جغرافیایی;# یادداشت\r\n\
    ك-1;فرش دستباف;لرستان;IR-15;خرم‌آباد؛ ازنا;۱۳۹۳;۱۳۹۲/۱۲/۵;روز;۱٬۸۵۰;١٢٠٬٠٠٠٬٠٠٠;۳۳٫۴۸۷۸;48.3558;دیده شد\r\n\
    ك-2;چرم‌سازی;لرستان;;;1511 ؛ ۱۵۱۲;;;;;;;\r\n\
    ك-3;عسل;کرمان;IR-15;;0149;;;;;;;\r\n";

async fn a_persian_table_of_clusters_is_read_as_it_was_written(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let order = "resource=clusters&mode=apply&system=lorestan-erp&calendar=persian";
    let (done, rows) = import(&lorestan, order, CSV, TABLE).await;
    assert_eq!(
        (done["state"].as_str(), counts(&done), done["rows_done"].as_i64()),
        (Some("finished"), [2, 0, 0, 1], Some(3)),
        "{done}"
    );
    assert_eq!(done["bytes_done"], TABLE.len());
    let outcomes: Vec<_> = rows
        .iter()
        .map(|row| {
            (row["line"].as_i64().unwrap(), row["key"].as_str().unwrap(), row["outcome"].as_str().unwrap())
        })
        .collect();
    assert_eq!(outcomes, [(2, "ك-1", "created"), (3, "ك-2", "created"), (4, "ك-3", "failed")]);
    assert_eq!(faults(&rows[2]), [("province_name", "province_mismatch")]);
    assert_eq!(rows[2]["message"], "province_name: The code says IR-15, but Kerman has the code IR-08.");

    let carpet = lorestan.get(&format!("{CLUSTERS}/{}", rows[0]["record_id"].as_str().unwrap())).await;
    for (field, value) in [
        ("name_fa", json!("فرش دستباف")),
        ("province", json!("IR-15")),
        ("counties", json!(["خرم‌آباد", "ازنا"])),
        ("isic", json!([{"code": "1393", "primary": true}])),
        ("identified_on", json!("2014-02-24")),
        ("identified_precision", json!("day")),
        ("employment_total", json!(1850)),
        ("annual_turnover_irr", json!("120000000")),
        ("location", json!({"latitude": 33.4878, "longitude": 48.3558})),
        ("external_refs", json!([{"system": "lorestan-erp", "key": "ك-1"}])),
    ] {
        assert_eq!(carpet.body[field], value, "{field}");
    }
    let leather = lorestan.get(&format!("{CLUSTERS}/{}", rows[1]["record_id"].as_str().unwrap())).await;
    assert_eq!(
        leather.body["isic"],
        json!([{"code": "1511", "primary": true}, {"code": "1512", "primary": false}])
    );
    let history = lorestan.get(&format!("{CLUSTERS}/{}/history", carpet.id())).await;
    assert_eq!(
        (history.body["items"][0]["kind"].as_str(), history.body["is_intact"].as_bool()),
        (Some("created"), Some(true))
    );

    let (again, _) = import(&lorestan, order, CSV, TABLE).await;
    assert_eq!(counts(&again), [0, 0, 2, 1], "sent again it changes nothing");
    assert_eq!(lorestan.get(&format!("{CLUSTERS}/{}", carpet.id())).await.body["version"], 1);
}

async fn a_row_says_only_what_is_to_change(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let order = "resource=clusters&mode=apply&system=gis";
    let full = "key,name_fa,province,isic,location.latitude,location.longitude,products,employment_total,aliases\n\
                A,فرش,IR-15,1393,33.5,48.3,گلیم;قالی,100,دستباف\n";
    let (_, made) = import(&lorestan, order, CSV, full).await;
    let path = format!("{CLUSTERS}/{}", made[0]["record_id"].as_str().unwrap());
    let (done, changed) =
        import(&lorestan, order, CSV, "key,employment_total,products,aliases\nA,120,,-\nB,5,,\n").await;
    assert_eq!(counts(&done), [0, 1, 0, 1]);
    assert_eq!(
        faults(&changed[1]),
        [("name_fa", "required"), ("province", "required"), ("isic", "required")],
        "a new record needs more"
    );
    let cluster = lorestan.get(&path).await;
    assert_eq!(
        (
            &cluster.body["employment_total"],
            &cluster.body["products"],
            &cluster.body["aliases"],
            &cluster.body["location"]["latitude"]
        ),
        (&json!(120), &json!(["گلیم", "قالی"]), &json!([]), &json!(33.5))
    );
    let (_, _) = import(&lorestan, order, CSV, "key,location.latitude,location.longitude\nA,-,-\n").await;
    assert_eq!(lorestan.get(&path).await.body["location"], Value::Null);
    // Half a place is none.
    let (_, half) = import(&lorestan, order, CSV, "key,location.latitude\nA,33.5\n").await;
    assert_eq!(faults(&half[0]), [("location.longitude", "required")]);
    // As lines of JSON, in the words of the API.
    let lines = json!({"key": "A", "employment_total": null, "name_en": "Carpets"}).to_string();
    let (done, _) = import(&lorestan, order, NDJSON, lines).await;
    assert_eq!(counts(&done), [0, 1, 0, 0]);
    let cluster = lorestan.get(&path).await;
    assert_eq!(
        (&cluster.body["employment_total"], &cluster.body["name_en"]),
        (&Value::Null, &json!("Carpets"))
    );
}

async fn every_kind_of_record_can_be_imported(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let national_id = legal_id(77);
    register(
        &lorestan,
        "شرکت شهرک‌های صنعتی",
        json!({"province": "IR-15", "legal_id": national_id, "kind": "provincial_company"}),
    )
    .await;
    let apply = async |resource: &str, media_type: &str, file: String| {
        let (done, rows) = import(
            &lorestan,
            &format!("resource={resource}&mode=apply&system=erp&calendar=persian"),
            media_type,
            file,
        )
        .await;
        assert!(rows.iter().all(|row| row["outcome"] == "created"), "{resource}: {rows:#?}");
        assert_eq!(done["created"], rows.len(), "{resource}");
        let made =
            lorestan.get(&format!("/api/v1/{resource}/{}", rows[0]["record_id"].as_str().unwrap())).await;
        assert_eq!(
            made.body["external_refs"],
            json!([{"system": "erp", "key": rows[0]["key"]}]),
            "{resource}"
        );
        made
    };
    let cluster =
        apply("clusters", CSV, "key,name_fa,province_name,isic\nC1,فرش,لرستان,1393\n".to_owned()).await;
    let enterprises = "key,name_fa,province_name,isic,cluster_key,member_from,employment_total,organisation_legal_id\n\
                       E1,قالی‌بافی یک,لرستان,1393,C1,1393/1/1,24,\nE2,قالی‌بافی دو,لرستان,1393,,,,\n";
    let enterprise = apply("enterprises", CSV, enterprises.to_owned()).await;
    assert_eq!(
        (&enterprise.body["cluster_id"], &enterprise.body["size"]),
        (&cluster.body["id"], &json!("small"))
    );
    apply("cdas", CSV, "کد ملی,شناسه در سامانه مبدا,نام فارسی,نام استان,تلفن همراه\n0100000010,A1,عامل نمونه,لرستان,۰۹۱۲۱۲۳۴۵۶۷\n".to_owned()).await;
    let projects = format!(
        "key,cluster_code,organisation_legal_id,title_fa,contract_start,contract_end,budget.cda_fee,budget.training\n\
         P1,{},{national_id},توسعهٔ فرش,1393/1/1,1395/12/29,\"900,000,000\",100000000\n",
        cluster.body["code"].as_str().unwrap()
    );
    let project = apply("projects", CSV, projects).await;
    let budget = json!([{"line": "cda_fee", "amount_irr": "900000000"}, {"line": "training", "amount_irr": "100000000"}]);
    assert_eq!((&project.body["budget"], &project.body["cluster_id"]), (&budget, &cluster.body["id"]));
    // The later ones wait for the earlier ones of the same file.
    let milestones = "key,project_key,phase,title_fa,weight_bp,due_on,predecessor_keys,evidence_required\n\
                      M1,P1,مطالعهٔ شناختی,شناخت,4000,1393/4/31,,بله\nM2,P1,برنامهٔ عملیاتی,برنامه,6000,1393/9/30,M1,خیر\nM3,P1,implementation,اجرا,0,1394/9/30,M1;M2,\n";
    let first = apply("milestones", CSV, milestones.to_owned()).await;
    let project_path = format!("/api/v1/projects/{}", project.id());
    let listed = lorestan.get(&format!("{project_path}/milestones?sort=due_on")).await;
    assert_eq!(listed.body["items"][1]["predecessors"], json!([first.id()]));
    assert_eq!(listed.body["items"][2]["predecessors"], json!([first.id(), listed.body["items"][1]["id"]]));
    service.put_in_state("project", project.id(), "implementing").await;
    apply(
        "measurements",
        CSV,
        "key,project_code,indicator_code,kind,period,value,source\nV1,".to_owned()
            + project.body["code"].as_str().unwrap()
            + ",COST-UNIT,مقدار پایه,۱۳۹۲,۹۸٫۵,پرسش‌نامه\n",
    )
    .await;
    let payment = json!({
        "key": "Y1", "project_key": "P1", "line": "cda_fee", "amount_irr": "450000000", "paid_on": "1393-05-01", "document_no": "1393/2208",
        "milestone_key": "M1",
    });
    let payment = apply("payments", NDJSON, payment.to_string()).await;
    assert_eq!(
        (&payment.body["milestone_id"], &payment.body["paid_on"]),
        (&first.body["id"], &json!("2014-07-23"))
    );

    // One line of a budget changes, the others stay; and what the rules between records say is told by the
    // column.
    let order = "resource=projects&mode=apply&system=erp";
    let (_, changed) = import(&lorestan, order, CSV, "key,budget.training\nP1,-\n").await;
    assert_eq!(changed[0]["outcome"], "updated");
    assert_eq!(
        lorestan.get(&project_path).await.body["budget"],
        json!([{"line": "cda_fee", "amount_irr": "900000000"}])
    );
    let (_, refused) = import(&lorestan, order, CSV, "key,budget.cda_fee\nP1,1000\n").await;
    assert_eq!(faults(&refused[0]), [("budget.cda_fee", "too_small")]);
    let (_, unknown) = import(
        &lorestan,
        "resource=payments&mode=validate&system=erp",
        CSV,
        "key,project_key,milestone_key\nY2,P9,M1\n",
    )
    .await;
    assert_eq!(faults(&unknown[0]), [("project_key", "unknown_record")]);
}

async fn the_headings_of_every_template_are_known(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for resource in ["clusters", "enterprises", "cdas", "projects", "milestones", "measurements", "payments"]
    {
        let columns = lorestan.get(&format!("{IMPORTS}/columns?resource={resource}")).await;
        let names = columns.items("name");
        let titles = [columns.items("title_fa"), columns.items("title_en"), names.clone()];
        assert_eq!(names[0], "key");
        assert!(
            titles[0].iter().all(|title| title.chars().any(|c| ('\u{600}'..'\u{700}').contains(&c))),
            "{resource}: {titles:?}"
        );
        let guide = lorestan.get(&format!("{IMPORTS}/columns?resource={resource}&format=csv")).await;
        assert_eq!(guide.text.lines().count(), names.len() + 1, "{}", guide.text);
        for (language, titles) in ["persian", "english", "names"].into_iter().zip(titles) {
            let template = lorestan
                .send(lorestan.request(
                    Method::GET,
                    &format!("{IMPORTS}/template?resource={resource}&headings={language}"),
                ))
                .await;
            let text = template.text.trim_start_matches('\u{feff}').trim_end();
            assert_eq!(text.split(',').collect::<Vec<_>>(), titles, "{resource} {language}");
            let (done, _) = import(
                &lorestan,
                &format!("resource={resource}&mode=validate&system=erp"),
                CSV,
                template.text.clone(),
            )
            .await;
            assert_eq!(
                (done["state"].as_str(), counts(&done)),
                (Some("finished"), [0; 4]),
                "{resource} {language}"
            );
        }
    }
    let phases = lorestan.get(&format!("{IMPORTS}/columns?resource=milestones")).await;
    let phase = phases.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|column| column["name"] == "phase")
        .unwrap()
        .clone();
    assert_eq!((phase["kind"].as_str(), phase["required"].as_bool()), (Some("choice"), Some(true)));
    assert_eq!(phase["values"][0], json!({"code": "diagnostic", "word_fa": "مطالعهٔ شناختی"}));
}
