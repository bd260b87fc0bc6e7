//! The double through its front door, by HTTP. One binary, so that it links once.

#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod support;
