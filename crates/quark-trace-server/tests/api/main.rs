//! The API as its clients meet it, without a network between.

mod authorisation;
mod place;
mod proofs;
mod records;
mod registry;
mod shares;
