//! Who may use what states no `exportTo` of its own: the mesh configuration says so for each kind.

use serde_json::Value;

use crate::{
    index::{Exported, World},
    queue::Key,
};

/// What the mesh configuration says, or Istio where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportDefaults {
    /// `defaultServiceExportTo`: of Services and ServiceEntries.
    pub services: Exported,
    /// `defaultVirtualServiceExportTo`.
    pub virtual_services: Exported,
    /// `defaultDestinationRuleExportTo`.
    pub destination_rules: Exported,
}

impl ExportDefaults {
    /// Reads them from the mesh configuration.
    pub(super) fn of(config: &Value) -> Self {
        let list = |key: &str| {
            let namespaces = config[key].as_array().into_iter().flatten();
            namespaces.filter_map(Value::as_str).collect::<Vec<_>>()
        };
        // Of DestinationRules, Istio asks only whether they are private.
        let mut rules = list("defaultDestinationRuleExportTo");
        rules.retain(|namespace| *namespace == ".");
        Self {
            services: Exported::to(list("defaultServiceExportTo")),
            virtual_services: Exported::to(list("defaultVirtualServiceExportTo")),
            destination_rules: Exported::to(rules),
        }
    }
}

impl World {
    /// Takes in other defaults, which may change what any fence makes visible.
    pub(super) fn follow_export_defaults(
        &mut self,
        defaults: ExportDefaults,
        concerned: &mut Vec<Key>,
    ) {
        if self.export_defaults == defaults {
            return;
        }
        for facts in self.services.values_mut() {
            facts.exported.follow(&defaults.services);
        }
        for facts in self.entries.values_mut() {
            facts.exported.follow(&defaults.services);
        }
        self.routes.follow(&defaults.virtual_services);
        let rules = &mut self.mesh;
        rules.virtual_services.follow(&defaults.virtual_services);
        rules.destination_rules.follow(&defaults.destination_rules);
        self.export_defaults = defaults;
        concerned.extend(self.fences.keys().cloned().map(Key::Fence));
    }
}

#[cfg(test)]
mod tests;
