//! The server through its front door: the whole router on a real database, answered by a real
//! OpenAI-compatible server that does as it is told. One binary, so that it links once.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod declared;
#[cfg(test)]
mod embed;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod export_limits;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hooks_orders;
#[cfg(test)]
mod hooks_vapi;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod lost_database;
#[cfg(test)]
mod model_faults;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod repetition;
#[cfg(test)]
mod search;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod support;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod vapi;
#[cfg(test)]
mod vapi_faults;
#[cfg(test)]
mod vapi_refusals;
#[cfg(test)]
mod webhooks_out;
#[cfg(test)]
mod widgets;
