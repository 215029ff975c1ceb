//! Databases of former versions: each later one opens, migrates, verifies and follows them.
//!
//! `tests/data/DAY.sqlite.zst` is the file of a demonstration, and `DAY.json` beside it what was known of it
//! on that day. `tools/former_database.py` makes such a pair; a release adds one, and none is ever changed.

use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::process::{self, Server};

/// What was known of a former database.
#[derive(Deserialize)]
struct Former {
    /// The root over all histories (64 hexadecimal digits).
    root: String,
    /// A cursor of the feed at its end, of the account `isipo`.
    cursor: String,
    /// The names of the clusters of Lorestan, by code.
    clusters: Vec<String>,
}

#[actix_web::test]
async fn a_database_of_before_is_opened_migrated_verified_and_followed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut days: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    days.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    assert!(!days.is_empty());
    for day in days {
        let former: Former = serde_json::from_slice(&std::fs::read(&day).unwrap()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("khoosheh.sqlite");
        std::fs::write(
            &file,
            zstd::decode_all(std::fs::File::open(day.with_extension("sqlite.zst")).unwrap()).unwrap(),
        )
        .unwrap();
        let url = format!("sqlite://{}", file.display());
        let variables = [("DATABASE_URL", url.as_str())];
        let run = async |arguments: &[&str]| {
            let ended = process::run(arguments, &variables, "").await;
            assert_eq!(ended.code, 0, "{arguments:?} on {}: {}", day.display(), ended.stderr);
        };
        run(&["migrate", "up"]).await;
        run(&["verify", "--without-files", "--root", &former.root]).await;
        let server = Server::serve(&url, &[]).await;
        let isipo = server.client().login("isipo").await;
        let clusters = isipo.get("/api/v1/clusters?province=IR-15&sort=code").await;
        assert_eq!(clusters.items("name_fa"), former.clusters);
        let changed = isipo
            .patch(
                &format!("/api/v1/clusters/{}", clusters.items("id")[0]),
                "*",
                json!({"name_en": "Followed"}),
            )
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let new = isipo.get(&format!("/api/v1/changes?since={}", former.cursor)).await;
        assert_eq!((new.status, new.items("id")), (200, vec![changed.id()]), "{}", new.text);
        server.terminate();
        assert_eq!(server.ended().await, 0);
        run(&["verify", "--without-files"]).await;
    }
}
