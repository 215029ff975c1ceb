//! Accepted media types, and their detection from the bytes of a file.

use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter, Iterable, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::http::document;

/// Media types of files. Archives and executables are not accepted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum MediaType {
    /// A PDF.
    #[default]
    #[sea_orm(string_value = "application/pdf")]
    #[serde(rename = "application/pdf")]
    Pdf,
    /// A JPEG image.
    #[sea_orm(string_value = "image/jpeg")]
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// A PNG image.
    #[sea_orm(string_value = "image/png")]
    #[serde(rename = "image/png")]
    Png,
    /// A WebP image.
    #[sea_orm(string_value = "image/webp")]
    #[serde(rename = "image/webp")]
    WebP,
    /// Text in UTF-8.
    #[sea_orm(string_value = "text/plain")]
    #[serde(rename = "text/plain")]
    Text,
    /// Comma-separated values in UTF-8.
    #[sea_orm(string_value = "text/csv")]
    #[serde(rename = "text/csv")]
    Csv,
    /// A document of Word (OOXML).
    #[sea_orm(string_value = "application/vnd.openxmlformats-officedocument.wordprocessingml.document")]
    #[serde(rename = "application/vnd.openxmlformats-officedocument.wordprocessingml.document")]
    Docx,
    /// A workbook of Excel (OOXML).
    #[sea_orm(string_value = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    #[serde(rename = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    Xlsx,
}

impl MediaType {
    /// File extensions: by them, not by the media type, a desktop chooses the program that opens a file.
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Pdf => &["pdf"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Png => &["png"],
            Self::WebP => &["webp"],
            Self::Text => &["txt"],
            Self::Csv => &["csv"],
            Self::Docx => &["docx"],
            Self::Xlsx => &["xlsx"],
        }
    }

    /// Whether the extension of the name belongs to this type.
    pub fn fits(self, file_name: &str) -> bool {
        let (name, ending) = file_name.rsplit_once('.').unwrap_or_default();
        !name.is_empty() && self.endings().iter().any(|known| ending.eq_ignore_ascii_case(known))
    }
}

/// The content of a file.
pub struct FileContent;

impl PartialSchema for FileContent {
    fn schema() -> RefOr<Schema> {
        let media_types: Vec<String> = MediaType::iter().map(|media_type| media_type.to_value()).collect();
        document::file("The content of a file, byte by byte.", &media_types)
    }
}

impl ToSchema for FileContent {}

/// Number of bytes inspected at the beginning.
const HEAD: usize = 64 * 1024;

/// Looks at a file as it passes.
#[derive(Default)]
pub struct Sniffer {
    head: Vec<u8>,
    /// The bytes of a character that is not whole yet.
    cut: Vec<u8>,
    is_binary: bool,
}

impl Sniffer {
    /// The next bytes.
    pub fn look(&mut self, bytes: &[u8]) {
        let missing = HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(missing));
        if self.is_binary {
            return;
        }
        self.cut.extend(bytes);
        let whole = match std::str::from_utf8(&self.cut) {
            Ok(text) => text.len(),
            Err(fault) if fault.error_len().is_none() => fault.valid_up_to(),
            Err(_) => return self.is_binary = true,
        };
        // No text has a NUL.
        self.is_binary = self.cut[..whole].contains(&0);
        self.cut.drain(..whole);
    }

    /// Whether the bytes agree with the declared type.
    pub fn agrees(&self, said: MediaType) -> bool {
        let found = infer::get(&self.head).map(|found| found.mime_type());
        match said {
            MediaType::Text | MediaType::Csv => {
                !self.is_binary
                    && self.cut.is_empty()
                    && found.is_none_or(|found| TWO_LETTERS.contains(&found))
            }
            MediaType::Docx => self.is_ooxml_with(b"word/"),
            MediaType::Xlsx => self.is_ooxml_with(b"xl/"),
            MediaType::Pdf | MediaType::Jpeg | MediaType::Png | MediaType::WebP => {
                found.is_some_and(|found| found == said.to_value())
            }
        }
    }

    /// Whether it is a ZIP archive with an entry in this folder. The order of entries depends on the program
    /// that wrote it, so all entries within the inspected bytes are checked.
    fn is_ooxml_with(&self, folder: &[u8]) -> bool {
        const ENTRY: &[u8] = b"PK\x03\x04";
        /// Offset of the name in an entry (APPNOTE of PKWARE, section 4.3.7).
        const NAME: usize = 30;
        let mut entries = self.head.windows(ENTRY.len()).enumerate().filter(|(_, window)| *window == ENTRY);
        let mut names = entries.by_ref().filter_map(|(at, _)| self.head.get(at + NAME..));
        self.head.starts_with(ENTRY) && names.any(|name| name.starts_with(folder))
    }
}

/// Types detected by two letters, `BM` and `MZ`, which prove nothing for a text.
const TWO_LETTERS: [&str; 2] = ["image/bmp", "application/vnd.microsoft.portable-executable"];

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;

    use super::{MediaType, Sniffer};

    fn sniffed(bytes: &[u8], piece: usize) -> Vec<MediaType> {
        let mut sniffer = Sniffer::default();
        bytes.chunks(piece).for_each(|bytes| sniffer.look(bytes));
        MediaType::iter().filter(|said| sniffer.agrees(*said)).collect()
    }

    fn zip(names: &[&str]) -> Vec<u8> {
        let entry = |name: &&str| [b"PK\x03\x04", &[0; 26][..], name.as_bytes(), b"<xml/>"].concat();
        names.iter().flat_map(entry).collect()
    }

    #[test]
    fn a_file_is_what_its_bytes_say() {
        let webp = [&b"RIFF"[..], &[9, 0, 0, 0], b"WEBPVP8 "].concat();
        for (bytes, is) in [
            (&b"%PDF-1.7\n%\xe2\xe3"[..], &[MediaType::Pdf][..]),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", &[MediaType::Jpeg]),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &[MediaType::Png]),
            (&webp, &[MediaType::WebP]),
            ("سال,اشتغال\n۱۳۹۲,۱۲۰\n".as_bytes(), &[MediaType::Text, MediaType::Csv]),
            ("\u{feff}BMI\n".as_bytes(), &[MediaType::Text, MediaType::Csv]),
            (b"BM,2\n", &[MediaType::Text, MediaType::Csv]),
            (&zip(&["[Content_Types].xml", "_rels/.rels", "word/document.xml"]), &[MediaType::Docx]),
            (
                &zip(&["_rels/.rels", "docProps/core.xml", "docProps/app.xml", "xl/workbook.xml"]),
                &[MediaType::Xlsx],
            ),
            (&zip(&["mimetype", "content.xml"]), &[]),
            (b"<html><script>alert(1)</script>", &[]),
            (b"<?xml version='1.0'?><svg/>", &[]),
            (b"#!/bin/sh\nrm -r /\n", &[]),
            (b"MZ\x90\0\x03\0\0\0", &[]),
            (b"\x7fELF\x02\x01\x01\0", &[]),
            (b"caf\xe9, latin\n", &[]),
            (b"cut \xd8", &[]),
            (b"", &[MediaType::Text, MediaType::Csv]),
        ] {
            for piece in [1, 2, 3, 7, 1_000] {
                assert_eq!(sniffed(bytes, piece), is, "{:?} by {piece}", String::from_utf8_lossy(bytes));
            }
        }
    }
}
