//! The rules of twofactor: codes, accounts, stores, policy, and the course of a login.
//!
//! Pure where it can be: no libpam, no terminal, no `unsafe`; time, users, store, conversation and log are arguments.
//! Imports point one way: a room uses those above it in this list, and no file imports the file of a folder it lies in.

#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "registry"), allow(dead_code, unused_imports, reason = "what administration alone calls"))]

// What the rules are told about the host: files, users, time.
pub mod host;

// Documents, log values and QR codes as text.
pub mod text;

// Secrets, one-time codes and recovery codes.
pub mod codes;

// What is logged, and why a login is refused.
pub mod log;

// What a user has, and how guessing is slowed.
pub mod account;

// PAM services as libpam reads them.
pub mod pam_service;

// The configuration and its rules.
pub mod config;

// Where accounts and tokens are kept.
pub mod store;

// Who is asked.
pub mod policy;

// On which terms users change their own second factor.
pub mod terms;

// A login from its first question to its end.
pub mod login;
