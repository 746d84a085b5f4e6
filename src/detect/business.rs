//! Business: watches on parameters and machines of flows, as a shard applies them.

use std::rc::Rc;

use crate::flow::{Flow, Tags};
use crate::parameter::Watch;

/// What the policy says about the business.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Names of parameters by the numbers watches and flows know them by.
    pub names: Vec<Box<str>>,
    pub watches: Vec<Watch>,
    pub flows: Vec<Flow>,
    pub tags: Rc<Tags>,
}
