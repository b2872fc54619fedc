//! Calls that live on their own: the account owns them, not who asked for them.

use std::sync::Arc;

use super::{
    super::{
        account::Account,
        conference::{self, SharedRoom},
        register::Entry,
    },
    Call, Plan,
};

/// Lets a call run until it is over or the account is. A room that waits for it is told if it does not come.
pub(in super::super) fn place(account: &Arc<Account>, entry: Arc<Entry>, plan: Plan, room: Option<SharedRoom>) {
    let call = Call::new(Arc::clone(account), Arc::clone(&entry), plan);
    let account_of_call = Arc::clone(account);
    account.tasks.spawn(async move {
        if let Some(report) = account_of_call.stop.run_until_cancelled(Box::pin(call.run())).await {
            if let Some(room) = room {
                conference::give_up(&account_of_call, &room, &entry.sid, report.status.clone());
            }
            account_of_call.register.file(entry, report);
        }
    });
}
