//! Guessing passwords, and what it does to those who know them.

use std::time::{Duration, Instant};

use reqwest::Method;

use crate::{
    auth::{TOKEN, log_in},
    on_both,
    support::{Answer, Client, PASSWORD, Service},
};

on_both!(
    many_failures_close_an_account_for_an_address,
    nobody_locks_another_out,
    logins_under_way_are_no_failures,
    many_at_once_do_not_slip_through,
    guessing_from_many_addresses_is_slow,
    guessing_at_many_accounts_is_slow,
);

/// A login that comes from an address, which a proxy tells.
async fn from(client: &Client, address: &str, username: &str, password: &str) -> Answer {
    let form = [("grant_type", "password"), ("username", username), ("password", password)];
    client.send(client.request(Method::POST, TOKEN).header("x-forwarded-for", address).form(&form)).await
}

async fn many_failures_close_an_account_for_an_address(service: &Service) {
    let (running, nobody) = service.beside(|config| config.login_failures_per_account = 3).await;
    for _ in 0..2 {
        assert_eq!(log_in(&nobody, "isipo", "wrong").await.code(), "invalid_grant");
    }
    assert_eq!(log_in(&nobody, "isipo", PASSWORD).await.status, 200);
    for username in ["isipo", "lorestan", "nobody-here"] {
        for attempt in 1..=3 {
            assert_eq!(
                log_in(&nobody, username, "wrong").await.code(),
                "invalid_grant",
                "{username} {attempt}: a success begins afresh"
            );
        }
        for password in ["wrong", PASSWORD] {
            let closed = log_in(&nobody, &username.to_uppercase(), password).await;
            assert_eq!((closed.status, closed.code()), (429, "too_many_failed_logins"), "{username}");
            let seconds: u64 = closed.header("retry-after").parse().unwrap();
            assert!((1..=900).contains(&seconds), "{seconds}");
        }
    }
    assert_eq!(log_in(&nobody, "kerman", PASSWORD).await.status, 200, "other accounts are not touched");
    running.stop().await;
    let (running, nobody) = service.beside(|config| config.login_failures_per_account = 3).await;
    assert_eq!(log_in(&nobody, "lorestan", PASSWORD).await.status, 429, "it holds across instances");
    running.stop().await;
}

async fn nobody_locks_another_out(service: &Service) {
    let (running, nobody) = service.beside(|config| config.behind_proxy = true).await;
    for (username, attacker, other) in [
        ("lorestan", "192.0.2.1", "192.0.2.2"),
        ("kerman", "2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("nobody-here", "192.0.2.3", "192.0.2.4"),
    ] {
        for attempt in 0..12 {
            let expected = if attempt < 10 { 400 } else { 429 };
            assert_eq!(
                from(&nobody, attacker, username, "wrong").await.status,
                expected,
                "{username} {attempt}"
            );
        }
        let owner = from(&nobody, other, username, PASSWORD).await;
        assert_eq!(owner.status, if username == "nobody-here" { 400 } else { 200 }, "{}", owner.text);
    }
    // One subscriber has a whole /64.
    assert_eq!(from(&nobody, "2001:db8:1:2:ffff::7", "kerman", PASSWORD).await.status, 429);
    assert_eq!(
        from(&nobody, "192.0.2.1", "isipo", PASSWORD).await.status,
        200,
        "who shares the address goes in and out"
    );
    running.stop().await;
    // Without a proxy the header is anybody's claim.
    let (running, direct) = service.beside(|config| config.login_failures_per_account = 1).await;
    assert_eq!(log_in(&direct, "ministry", "wrong").await.status, 400);
    assert_eq!(from(&direct, "192.0.2.9", "ministry", PASSWORD).await.status, 429);
    running.stop().await;
}

async fn logins_under_way_are_no_failures(service: &Service) {
    let nobody = service.anonymous();
    let logins = futures_util::future::join_all((0..24).map(|_| log_in(&nobody, "lorestan", PASSWORD))).await;
    assert_eq!(logins.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200; 24]);
}

async fn many_at_once_do_not_slip_through(service: &Service) {
    let (running, nobody) = service.beside(|config| config.login_failures_per_account = 3).await;
    let attempts =
        futures_util::future::join_all((0..12).map(|_| log_in(&nobody, "ministry", "wrong"))).await;
    let mut statuses: Vec<_> = attempts.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[400; 3][..], &[429; 9]].concat());
    running.stop().await;
}

async fn guessing_from_many_addresses_is_slow(service: &Service) {
    let (running, nobody) =
        service.beside(|config| (config.login_failures_per_account, config.behind_proxy) = (5, true)).await;
    for username in ["lorestan", "nobody-here"] {
        let guess = async |number: usize| {
            from(&nobody, &format!("198.51.100.{number}"), username, "wrong").await.status
        };
        let quick = Instant::now();
        for number in 0..5 {
            assert_eq!(guess(number).await, 400);
        }
        let first = quick.elapsed();
        let slow = Instant::now();
        for number in 5..12 {
            assert_eq!(guess(number).await, 400, "a delay closes nothing");
        }
        // Five times 250 ms, then twice 500.
        assert!(
            slow.elapsed() > Duration::from_millis(2_250),
            "{username}: {:?} after {first:?}",
            slow.elapsed()
        );
    }
    assert_eq!(from(&nobody, "203.0.113.1", "lorestan", PASSWORD).await.status, 200);
    running.stop().await;
}

async fn guessing_at_many_accounts_is_slow(service: &Service) {
    let (running, nobody) = service.beside(|config| config.login_failures_per_address = 3).await;
    let mut times = Vec::new();
    for number in 0..6 {
        let begun = Instant::now();
        assert_eq!(log_in(&nobody, &format!("nobody-{number}"), "wrong").await.status, 400);
        times.push(begun.elapsed());
    }
    assert!(times[3..].iter().all(|time| *time >= Duration::from_millis(250)), "{times:?}");
    assert_eq!(
        log_in(&nobody, "kerman", PASSWORD).await.status,
        200,
        "who shares the address is slowed, and goes in"
    );
    running.stop().await;
}
