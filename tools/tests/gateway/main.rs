//! `irmae gateway` with real sockets, a real terminal line and a real broker, on the golden models.

mod broker;
mod links;
mod mqtt;
mod streams;
mod support;
