//! Reports held against the records themselves: what each says is made once more from lists, records and
//! histories, one by one, for several days, several moments of knowledge and several scopes.

use chrono::NaiveDate;
use khoosheh::persian::{Calendar, Date};

use super::{
    cda_portfolio, earned_value, earned_value::enriched, funnel, identified_clusters, indicators, industries,
    networks, overdue_milestones, reconciliation, reporting, then::Then,
};
use crate::{
    on_both,
    support::{Client, Service, moment},
};

on_both!(reports_agree_with_the_demonstration, reports_agree_with_made_data);

/// The reports that know a past, and of how many rows of each the records say the same.
const REPORTS: [&str; 9] = [
    "identified-clusters",
    "funnel",
    "project-status, s-curve, budget",
    "overdue-milestones",
    "cda-portfolio",
    "reporting-compliance",
    "province-league",
    "indicators",
    "networks",
];

/// Holds the reports of each day against the records; fails if there was nothing to compare.
async fn all_agree(questions: &[(&Client, Option<&str>, &[&str])]) {
    let mut seen = [0; REPORTS.len()];
    for (client, known_at, days) in questions {
        let mut before = Then::new(client, "1392-01-01", *known_at);
        for day in *days {
            let then = Then::new(client, day, *known_at);
            let compared = [
                identified_clusters::agrees(&then).await,
                funnel::agrees(&then, &before).await,
                earned_value::agrees(&then).await,
                overdue_milestones::agree(&then).await,
                cda_portfolio::agree(&then).await,
                reporting::compliance_agrees(&then).await,
                reporting::league_agrees(&then).await,
                indicators::agree(&then).await,
                networks::agree(&then).await,
            ];
            seen.iter_mut().zip(compared).for_each(|(seen, compared)| *seen += compared);
            before = then;
        }
    }
    for (report, seen) in REPORTS.iter().zip(seen) {
        assert!(seen > 0, "{report}: nothing was there to compare");
    }
}

async fn reports_agree_with_the_demonstration(service: &Service) {
    let before = moment();
    let (isipo, kerman, lorestan) = enriched(service).await;
    let after = moment();
    all_agree(&[
        (&isipo, None, &["1393-06-10", "1396-12-29", "1397-03-05", "1397-09-01", "1400-01-01"]),
        (&kerman, Some(&after), &["1395-05-31", "1397-02-10", "1399-01-01"]),
        (&lorestan, None, &["1393-09-30", "1395-03-31"]),
        (&isipo, Some(&before), &["1394-08-30", "1397-08-30"]),
    ])
    .await;
}

/// What the generator makes was recorded through the years, so that what was known differs from what is.
async fn reports_agree_with_made_data(service: &Service) {
    let plan =
        ::generate::Plan { scale: 0.004, seed: 5, today: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap() };
    ::generate::fill(&service.database().await, plan).await.unwrap();
    let (isipo, kerman, lorestan) =
        (service.login("isipo").await, service.login("kerman").await, service.login("lorestan").await);
    all_agree(&[
        (&kerman, None, &["1399-12-30", "1402-06-31", "1405-08-01"]),
        (&kerman, Some("2021-09-01T00:00:00Z"), &["1400-03-31", "1402-01-01"]),
        (&lorestan, Some("2024-05-05T12:00:00Z"), &["1401-06-15", "1403-01-01"]),
    ])
    .await;
    // What is no matter of single milestones is compared for the nation too.
    let (mut clusters, mut claimed, mut cells) = (0, 0, 0);
    for (day, gregorian) in [("1399-12-30", (2021, 3, 20)), ("1405-08-01", (2026, 10, 23))] {
        let then = Then::new(&isipo, day, None);
        clusters += identified_clusters::agrees(&then).await;
        let gregorian = NaiveDate::from_ymd_opt(gregorian.0, gregorian.1, gregorian.2).unwrap();
        assert_eq!(Date::from(gregorian).in_calendar(Calendar::Persian), day);
        for client in [&isipo, &kerman] {
            claimed += reconciliation::agrees(client, day, &gregorian.to_string()).await;
        }
    }
    let candidates = industries::candidates_agree(&isipo).await;
    for client in [&isipo, &lorestan] {
        cells += industries::pivot_agrees(client, &moment()).await;
    }
    assert!(
        clusters > 60 && claimed > 15 && candidates > 20 && cells > 60,
        "{clusters} and {claimed} clusters, {candidates} candidates and {cells} cells were compared"
    );
}
