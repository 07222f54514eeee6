//! What every driver must do alike: one list of cases, each on a database of its own.

use super::{Folder, questions};

macro_rules! cases {
    ($($module:ident::$case:ident),* $(,)?) => {
        $(#[test]
        fn $case() {
            let folder = Folder::new();
            let store = folder.open();
            $module::$case(&store.handle());
        })*
    };
}

cases! {
    questions::an_account_is_made_once_and_its_verifiers_change,
    questions::accounts_are_listed_in_order_page_by_page,
    questions::a_roster_item_is_replaced_and_sets_the_version,
    questions::every_subscription_state_comes_back,
    questions::a_contact_has_one_request,
    questions::private_elements_are_limited_and_replaced,
    questions::vcard_blocklist_and_last_presence_are_kept,
    questions::an_account_made_again_has_nothing_of_the_old_one,
}
