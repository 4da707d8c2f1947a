//! One file wraps one outside thing. Edges do not know each other; events travel up by a sender handed in.

pub mod folder;
