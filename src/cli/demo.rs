//! `khoosheh demo`: the service on an embedded database with the demonstration.

use std::{io::Write, net::SocketAddr, path::Path};

use clap::Args;

use super::{Outcome, create, log_to_stderr};
use crate::{
    accounts::password,
    config::{Config, DatabaseUrl},
    demo, server,
    store::{Files, connection},
};

#[derive(Args)]
pub struct Demo {
    /// Address to listen on; a loopback address.
    #[arg(long)]
    bind: Option<SocketAddr>,
    /// The SQLite database.
    #[arg(long)]
    database_url: Option<String>,
}

pub async fn run(arguments: Demo, mut config: Config) -> Outcome {
    if let Some(bind) = arguments.bind {
        config.bind = bind;
    }
    if let Some(url) = arguments.database_url {
        config.database_url = url.parse()?;
    }
    if let Some(refusal) = demo::refusal(&config) {
        return Err(refusal.into());
    }
    if config.attachments_url == Config::default().attachments_url {
        config.attachments_url = files_beside(&config.database_url);
    }
    config.check()?;
    // A demonstration is also used for testing tools, which send requests faster than people.
    config.requests_per_minute = 600_000;
    config.public_requests_per_minute = 600_000;
    config.public_url = format!("http://{}", config.bind);
    if config.log_filter == Config::default().log_filter {
        config.log_filter = "warn".into();
    }
    log_to_stderr(&config);
    let db = create(&config, 1).await?;
    server::migrate(&db).await?;
    let given = config.secrets.demo_password.clone();
    let password = given.as_ref().map_or_else(password::random, |given| given.reveal().to_owned());
    let is_new = demo::fill(&db, &password).await?;
    if is_new {
        demo::enrich(&db, &Files::open(&config)?).await?;
        connection::refresh_statistics(&db).await?;
    }
    let running = server::start(config).await?;
    // A given password is known, and not printed.
    let (shown, about) = match (is_new, given.is_some()) {
        (true, false) => (password.as_str(), "The password of all of them"),
        (true, true) => {
            ("PASSWORD", "The password of all of them is that of KHOOSHEH_DEMO_PASSWORD. In its place below")
        }
        (false, _) => (
            "PASSWORD",
            "The data of an earlier start is kept, with the password that it was made with. In its place below",
        ),
    };
    let text = welcome(running.address, shown, about);
    writeln!(std::io::stdout(), "{text}")?;
    running.until_signal().await;
    Ok(())
}

/// `khoosheh-files` for `khoosheh.sqlite`, in the same folder.
fn files_beside(database_url: &DatabaseUrl) -> String {
    format!(
        "file://{}-files",
        database_url.file().unwrap_or(Path::new("khoosheh")).with_extension("").display()
    )
}

fn welcome(address: SocketAddr, password: &str, about_password: &str) -> String {
    format!(
        "Khoosheh is ready.\n\n  \
         API            http://{address}/api/v1\n  \
         Documentation  http://{address}/docs/\n  \
         OpenAPI        http://{address}/openapi.json\n\n\
         Accounts: admin, isipo (national_manager), ministry (national_viewer), auditor, lorestan and kerman\n  \
         (provincial_manager), lorestan-viewer, supervisor, cda; API client: integrator\n\
         {about_password}: {password}\n\n\
         Try the report of the clusters of Lorestan identified by the end of 1392:\n\n  \
         curl -s -H \"Authorization: Bearer $(curl -s http://{address}/api/v1/auth/token -d grant_type=password -d username=lorestan \
         --data-urlencode 'password={password}' | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\" \
         'http://{address}/api/v1/reports/identified-clusters?province=IR-15&as_of=1392-12-29&calendar=persian'\n"
    )
}
