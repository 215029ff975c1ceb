//! The pages of the repository name files, folders and headings that exist.

use std::path::{Path, PathBuf};

/// The folders that a page means where it names a path in code marks.
const FOLDERS: [&str; 9] =
    ["src/", "tests/", "tools/", "migration/", "docs/", "data/", "deploy/", "examples/", "openapi/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let folders = [root().to_owned(), root().join("docs"), root().join("docs/adr"), root().join("migration")];
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut pages: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    pages.sort();
    pages
}

/// What stands between a mark and the next one, on one line, wherever it does.
fn between<'a>(text: &'a str, begin: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.match_indices(begin).filter_map(move |(at, _)| {
        let rest = text[at + begin.len()..].lines().next()?;
        rest.split_once(end).map(|(inside, _)| inside)
    })
}

/// The anchor that a heading gets (as GitHub makes it).
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    letters
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn has_heading(page: &str, wanted: &str) -> bool {
    page.lines()
        .filter_map(|line| line.strip_prefix('#'))
        .any(|line| anchor(line.trim_start_matches('#')) == wanted)
}

#[test]
fn every_path_and_link_of_every_page_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 20, "{pages:?}");
    let mut wrong = Vec::new();
    for path in &pages {
        let (page, folder) = (std::fs::read_to_string(path).unwrap(), path.parent().unwrap());
        let name = path.strip_prefix(root()).unwrap().display();
        let is_changelog = path.ends_with("CHANGELOG.md");
        let named =
            between(&page, "`", '`').filter(|text| FOLDERS.iter().any(|folder| text.starts_with(folder)));
        let is_example = |text: &str| {
            text.contains(['…', ' ', '<', '*', '{'])
                || text.chars().any(|c| c.is_ascii_uppercase()) && text.contains("NAME")
        };
        for named in named.filter(|text| !is_changelog && !is_example(text)) {
            if !root().join(named).exists() {
                wrong.push(format!("{name}: {named}"));
            }
        }
        for link in
            between(&page, "](", ')').filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { folder.join(file) };
            let leads = if heading.is_ascii() && !heading.is_empty() {
                std::fs::read_to_string(&target).is_ok_and(|target| has_heading(&target, heading))
            } else {
                target.exists()
            };
            if !leads {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
