//! Where a backup is taken and restored, and who writes meanwhile.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::json;

use crate::{
    clusters::CLUSTERS,
    process::{Outcome, Server, run},
    support::{Backend, Client, Scratch},
};

/// A database with a folder of files, as a command is given them.
pub struct Place {
    pub scratch: Scratch,
    files: String,
}

impl Place {
    pub async fn copy(backend: Backend) -> Option<Self> {
        Scratch::copy(backend).await.map(Self::of)
    }

    /// One that a backup can be restored into.
    pub async fn empty(backend: Backend) -> Option<Self> {
        Scratch::empty(backend).await.map(Self::of)
    }

    fn of(scratch: Scratch) -> Self {
        let files = format!("file://{}", scratch.files().display());
        Self { scratch, files }
    }

    pub fn variables(&self) -> [(&str, &str); 2] {
        [("DATABASE_URL", &self.scratch.url), ("KHOOSHEH_ATTACHMENTS_URL", &self.files)]
    }

    pub async fn run(&self, arguments: &[&str]) -> Outcome {
        run(arguments, &self.variables(), "").await
    }

    pub async fn serve(&self) -> Server {
        Server::serve(&self.scratch.url, &self.variables()[1..]).await
    }
}

/// Writers that register clusters until they are stopped, and what was acknowledged to them, and when.
pub struct Load {
    acknowledged: Arc<Mutex<BTreeMap<String, Instant>>>,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub fn begin(client: &Client) -> Self {
        let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
        let writers = (0..4).map(|writer| {
            let (client, acknowledged) = (client.clone(), acknowledged.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    let name = format!("خوشهٔ {writer} {number}");
                    let created = client
                        .post(
                            CLUSTERS,
                            json!({"province": "IR-15", "name_fa": name, "isic": [{"code": "2599"}]}),
                        )
                        .await;
                    if created.status == 201 {
                        acknowledged
                            .lock()
                            .unwrap()
                            .insert(created.header("location").to_owned(), Instant::now());
                    }
                }
            })
        });
        Self { writers: writers.collect(), acknowledged }
    }

    pub fn end(self) -> BTreeMap<String, Instant> {
        for writer in self.writers {
            writer.abort();
        }
        self.acknowledged.lock().unwrap().clone()
    }
}
