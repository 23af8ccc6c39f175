//! The database half: reached or not, and then the catalogue, the journal and the account that it is for.

use crate::doctor::{Catalogue, Finding, JournalFacts, Place};
use crate::domain::{AccountId, Mode};
use crate::exit::Failure;
use crate::store::Store;

use super::{NO_KEY, Subject, found, told};

const NO_DATABASE: &str = "the database was not reached";

/// What the database half found.
pub struct DatabaseFindings {
    pub reached: Finding<Place>,
    pub catalogue: Finding<Catalogue>,
    pub journal: Finding<JournalFacts>,
    pub pinned: Finding<Option<AccountId>>,
}

impl DatabaseFindings {
    pub async fn of(subject: &Subject) -> DatabaseFindings {
        let url = match &subject.database_url {
            Ok(url) => url,
            Err(failure) => return DatabaseFindings::none(failure.clone()),
        };
        let store = match Store::reach(url, &subject.names).await {
            Ok(store) => store,
            Err(error) => return DatabaseFindings::none(told(error)),
        };
        let journal = found(store.examine_journal().await);
        let mode = subject.key.as_ref().ok().map(|key| key.mode);
        let findings = DatabaseFindings {
            reached: Finding::Found(Place {
                shown: store.identity().to_string(),
            }),
            catalogue: found(store.examine(url, &subject.categories).await),
            pinned: pinned(&store, &journal, mode).await,
            journal,
        };
        store.close().await;
        findings
    }

    fn none(failure: Failure) -> DatabaseFindings {
        DatabaseFindings {
            reached: Finding::Failed(failure),
            catalogue: Finding::Skipped(NO_DATABASE.to_owned()),
            journal: Finding::Skipped(NO_DATABASE.to_owned()),
            pinned: Finding::Skipped(NO_DATABASE.to_owned()),
        }
    }
}

async fn pinned(
    store: &Store,
    journal: &Finding<JournalFacts>,
    mode: Option<Mode>,
) -> Finding<Option<AccountId>> {
    let Some(mode) = mode else {
        return Finding::Skipped(NO_KEY.to_owned());
    };
    match journal {
        Finding::Found(JournalFacts::Absent { .. }) => Finding::Found(None),
        Finding::Found(JournalFacts::Present {
            version, newest, ..
        }) if version <= newest => found(store.pinned_account(mode).await),
        _ => Finding::Skipped("the journal was not read".to_owned()),
    }
}
