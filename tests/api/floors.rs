//! The rooms of `src` stand on floors (`docs/ARCHITECTURE.md`): each imports from those before it, and no two
//! import from each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The floors, from the lowest. Rooms of one floor do not know each other, but resources, of which a child
/// names its parent.
const FLOORS: [&[&str]; 16] = [
    &["clock", "presentation"],
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

/// Files of one room that still import from each other, directly or over others. One that is mended has to be
/// taken off.
const CIRCLES: &[&str] = &[
    "generate/clusters",
    "generate/milestones",
    "generate/outcomes",
    "generate/projects",
    "generate/schedule",
    "http/authorization",
    "http/body",
    "http/contract",
    "http/document",
    "http/read",
    "http/record_extractor",
    "http/render",
    "http/security_log",
    "http/sheet/cell",
    "http/sheet/style",
    "http/validation_messages",
    "imports/dto",
    "imports/entity",
    "milestones/baselines",
    "milestones/rules",
    "reports/reconciled",
    "reports/reconciliation",
    "store/change_log",
    "store/connection",
    "store/database",
    "store/fault",
    "store/personal",
    "store/personal/verify",
    "store/record",
    "store/servers",
    "store/trust",
    "store/verify",
];

/// The paths that a list of imports names, such as `store::{fault, record::Unique}`.
fn flat(tree: &str, prefix: &str, found: &mut Vec<String>) {
    let mut depth = 0;
    let parts = tree.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((head, rest)) => {
                flat(rest.trim_end().trim_end_matches('}'), &format!("{prefix}{head}"), found)
            }
            None => found.push(format!("{prefix}{part}")),
        }
    }
}

/// The files of the same room that a file imports; neither those around it nor those within it.
fn neighbours(own: &[String], source: &str, modules: &BTreeSet<Vec<String>>) -> BTreeSet<Vec<String>> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or(source);
    let mut imports = Vec::new();
    for (at, _) in code.match_indices("\nuse ").chain(code.match_indices("\npub use ")) {
        let list = code[at + 1..].trim_start_matches("pub ").trim_start_matches("use ");
        flat(list.split(';').next().unwrap_or_default(), "", &mut imports);
    }
    let mut found = BTreeSet::new();
    for import in imports {
        let names: Vec<&str> = import.split("::").map(str::trim).collect();
        let supers = names.iter().take_while(|name| **name == "super").count();
        let base: &[String] = match names[0] {
            "crate" => &[],
            "super" => &own[..own.len().saturating_sub(supers)],
            _ => continue,
        };
        let rest = names[supers.max(1)..].iter().map(|name| (*name).to_owned());
        let path: Vec<String> = base.iter().cloned().chain(rest).collect();
        let module =
            (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|part| modules.contains(part));
        found.extend(
            module.filter(|other| other[0] == own[0] && !other.starts_with(own) && !own.starts_with(other)),
        );
    }
    found
}

type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// The files that a file reaches over imports.
fn reached<'a>(from: &'a Vec<String>, imports: &'a Imports) -> BTreeSet<&'a Vec<String>> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        next.extend(imports[module].iter().filter(|other| seen.insert(*other)));
    }
    seen
}

#[test]
fn no_files_of_a_room_import_from_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The made data is a room too: `generate/src/clusters.rs` is its `generate/clusters`.
    let module = |path: &Path| -> Vec<String> {
        let within = path.strip_prefix(root).unwrap().with_extension("");
        let parts = within.iter().map(|part| part.to_str().unwrap().to_owned());
        parts.filter(|part| part != "mod" && part != "src").collect()
    };
    let files = [sources(&root.join("src")), sources(&root.join("generate/src"))].concat();
    let modules: BTreeSet<_> = files.iter().map(|path| module(path)).collect();
    let imports: Imports = files
        .iter()
        .map(|path| (module(path), neighbours(&module(path), &fs::read_to_string(path).unwrap(), &modules)))
        .collect();
    let circles: BTreeSet<_> = modules
        .iter()
        .filter(|module| reached(module, &imports).contains(module))
        .map(|module| module.join("/"))
        .collect();
    assert_eq!(circles, CIRCLES.iter().map(|name| (*name).to_owned()).collect());
}
