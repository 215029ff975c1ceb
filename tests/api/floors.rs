//! The rooms of `src` stand on floors (`docs/ARCHITECTURE.md`): each imports from those before it, and no two
//! import from each other.

use std::{collections::BTreeSet, fs, path::Path};

/// The floors, from the lowest. Rooms of one floor do not know each other, but resources, of which a child
/// names its parent.
const FLOORS: [&[&str]; 16] = [
    &["clock"],
    &["persian"],
    &["values", "config", "policy"],
    &["problem", "client"],
    &["personal"],
    &["checks"],
    &["store"],
    &["lifecycle"],
    &["accounts"],
    &["http"],
    &[RESOURCES],
    &["changes", "imports", "statistics", "sign_in", "security_events"],
    &["erasures", "history", "reports", "webhooks"],
    &["backup", "documentation", "operation", "public"],
    &["api"],
    &["server"],
];

/// Those above all: they start things.
const STARTERS: [&str; 3] = ["demo", "cli", "main"];

/// Stands for all rooms that hold a kind of record.
const RESOURCES: &str = "resources";

/// The rooms that a source names after `crate::`, in its imports and in its text; tests aside.
fn named(source: &str) -> BTreeSet<&str> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or(source);
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut rooms = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            rooms.insert(&rest[..word(rest)]);
            continue;
        };
        let mut depth = 0;
        let mut is_first = true;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_first = true,
                c if is_first && !c.is_whitespace() => {
                    rooms.insert(&list[at..at + word(&list[at..])]);
                    is_first = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

fn floor(room: &str) -> usize {
    let of = |name: &str| FLOORS.iter().position(|rooms| rooms.contains(&name));
    match STARTERS.iter().position(|starter| *starter == room) {
        Some(place) => FLOORS.len() + place,
        None => of(room).or_else(|| of(RESOURCES)).unwrap(),
    }
}

/// All Rust sources below a folder.
fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

#[test]
fn no_import_runs_upwards() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut upwards = Vec::new();
    for path in sources(&src) {
        let within = path.strip_prefix(&src).unwrap().with_extension("");
        let own = within.iter().next().unwrap().to_str().unwrap();
        let source = fs::read_to_string(&path).unwrap();
        for room in named(&source).into_iter().filter(|room| {
            own != "lib"
                && *room != own
                && src.join(room).with_extension("rs").exists() | src.join(room).is_dir()
        }) {
            let is_upwards = floor(room) > floor(own)
                || floor(room) == floor(own)
                    && FLOORS.get(floor(own)).is_some_and(|rooms| !rooms.contains(&RESOURCES));
            if is_upwards {
                upwards.push(format!("{} imports {room}", within.display()));
            }
        }
    }
    assert!(upwards.is_empty(), "{upwards:#?}");
}
