//! `khoosheh erase`: the personal data of a record, for good.

use std::io::Write;

use clap::Args;
use uuid::Uuid;

use super::{Outcome, open};
use crate::{
    config::Config,
    erasures::{self, ErasureInput, Subject},
    policy::Caller,
    server,
    store::{Files, Transaction},
};

#[derive(Args)]
pub struct Erase {
    /// Kind of record.
    #[arg(value_enum)]
    resource: Subject,
    /// The id of the record.
    record_id: Uuid,
    /// Reason, without personal data: it is stored.
    #[arg(long)]
    reason: String,
    /// An attachment about the person: it is deleted, and its file removed. Can be given several times.
    #[arg(long = "attachment", value_name = "ID")]
    attachments: Vec<Uuid>,
}

pub async fn run(Erase { resource, record_id, reason, attachments }: Erase, config: Config) -> Outcome {
    if reason.trim().is_empty() {
        return Err("an erasure needs a reason".into());
    }
    let db = open(&config, 1).await?;
    server::check_migrated(&db).await?;
    let files = Files::open(&config)?;
    let input = ErasureInput { resource, record_id, reason, attachments };
    let transaction = Transaction::begin(&db, Caller::service(), "command line".to_owned()).await?;
    let erasure = erasures::erase(&transaction, &input, &config).await?;
    transaction.commit().await?;
    erasures::finish(&db, &files, &input.attachments).await?;
    let mut out = std::io::stdout();
    writeln!(out, "erased: the personal data of {} {record_id}, and what was kept of it", erasure.resource)?;
    if config.erasure_list.is_none() {
        writeln!(
            out,
            "there is no erasure_list in the configuration: a backup of before would bring it back"
        )?;
    }
    Ok(())
}
