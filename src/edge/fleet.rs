//! The Fleet object, of which there is one: the block set with its numbering, the audit log, the layouts of shards, and
//! what shards tell of requests and findings; and, by its alarm, the alerts that follow from them.
//!
//! Why its sequences are atomic: an order is carried out from the first statement to the last without an await. Between two of
//! them alerts are on their way; each is a row until its receiver has it, so what is cut short is sent again.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::isolate::{self, Setup};
use super::sql::ObjectSql;
use super::{alerts, clock};
use crate::alert::Secret;
use crate::fleet::Fleet as Core;
use crate::policy::Policy;
use crate::wire::{self, FleetOrder, Outgoing, Sync, operation};

/// Alerts sent at the same time.
const AT_ONCE: u32 = 8;

#[durable_object(alarm)]
pub struct Fleet {
    state: State,
    /// The fleet's state, or why it could not be opened; then everything is answered 503.
    core: RefCell<core::result::Result<Core<ObjectSql>, String>>,
    secret: Option<Secret>,
    /// When the alarm is set to go off, platform time; 0 for not at all.
    alarm_at_ms: Cell<u64>,
}

impl DurableObject for Fleet {
    fn new(state: State, env: Env) -> Self {
        let policy: Option<Rc<Policy>> = match isolate::load(&env) {
            Setup::Ready(policy) => Some(policy),
            Setup::Refused { .. } | Setup::Unloaded => None,
        };
        // Nothing is forgotten while nobody knows how long it is kept.
        let retention_ms = policy.as_ref().map_or(u64::MAX, |policy| policy.retention_ms);
        let opened = Core::open(ObjectSql::new(state.storage().sql()), retention_ms).map_err(|error| error.to_string());
        if let Err(text) = &opened {
            worker::console_error!("fleet cannot open its store: {text}");
        }
        let secret = policy.as_ref().and_then(|policy| policy.webhook_secret.clone());
        let rules = policy.map(|policy| (policy.alerts.clone(), policy.admin_host.clone())).unwrap_or_default();
        let core = opened.map(|core| core.with_alerts(rules.0, rules.1));
        Self { state, core: RefCell::new(core), secret, alarm_at_ms: Cell::new(0) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        let body = request.bytes().await?;
        let answered = match self.core.borrow_mut().as_mut() {
            Ok(core) => match path.as_str() {
                operation::SYNC => {
                    wire::decode::<Sync>(&body).map(|sync| core.sync(sync).map(|reply| wire::encode(&reply)))
                }
                operation::FLEET => {
                    wire::decode::<FleetOrder>(&body).map(|order| core.order(order).map(|reply| wire::encode(&reply)))
                }
                _ => return Response::error("no such operation", 404),
            },
            Err(text) => return Response::error(text.clone(), 503),
        };
        self.set_alarm().await?;
        match answered {
            Some(Ok(bytes)) => Response::from_bytes(bytes),
            Some(Err(error)) => Response::error(error.to_string(), 500),
            None => Response::error("the message cannot be read; is one side a release behind?", 400),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm_at_ms.set(0);
        let due = self.with_core(|core| core.due_alerts(clock::real_now_ms(), AT_ONCE)).unwrap_or_default();
        let sent = due.iter().map(|alert: &Outgoing| alerts::send(alert, self.secret.as_ref()));
        let outcomes = futures_util::future::join_all(sent).await;
        for (alert, outcome) in due.iter().zip(outcomes) {
            if let Err(reason) = &outcome {
                worker::console_warn!("alert {} was not delivered: {reason}", alert.id);
            }
            self.with_core(|core| core.alert_sent(&alert.id, outcome, clock::real_now_ms()));
        }
        self.set_alarm().await?;
        Response::ok("done")
    }
}

impl Fleet {
    fn with_core<T>(
        &self,
        operate: impl FnOnce(&mut Core<ObjectSql>) -> core::result::Result<T, crate::store::StoreError>,
    ) -> Option<T> {
        match self.core.borrow_mut().as_mut().ok().map(operate)? {
            Ok(done) => Some(done),
            Err(error) => {
                worker::console_error!("fleet could not see to its alerts: {error}");
                None
            }
        }
    }

    /// Sets the alarm where an alert is due before the one that is set.
    async fn set_alarm(&self) -> Result<()> {
        let Some(Some(due_ms)) = self.with_core(|core| core.next_alert_ms()) else { return Ok(()) };
        let now_ms = clock::real_now_ms();
        let at_ms = due_ms.max(now_ms);
        let set_ms = self.alarm_at_ms.get();
        if set_ms != 0 && set_ms <= at_ms {
            return Ok(());
        }
        self.alarm_at_ms.set(at_ms);
        self.state.storage().set_alarm(Duration::from_millis(at_ms - now_ms)).await
    }
}
