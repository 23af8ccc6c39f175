//! stub
use super::super::StoreError;
use super::{Claim, Journal, Subject};
use crate::saga::Operation;
impl Journal {
    pub async fn claim(&self, _subject: &Subject, _fresh: &Operation) -> Result<Claim, StoreError> {
        Err(super::todo("claim an order"))
    }
}
