//! The HTTP clients with which converters ask schema registries: keys and certificates as `ssl.*` settings name them,
//! and names resolved to such addresses only as anybody may reach by a name.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use weir_convert::{Http, HttpSettings};
use weir_core::model::{Problem, only_by_address};

use crate::tls;

/// Makes them.
pub fn http() -> Http {
    Arc::new(client)
}

fn client(settings: &HttpSettings) -> Result<reqwest::Client, Vec<Problem>> {
    let client = reqwest::Client::builder()
        .connect_timeout(settings.connect_timeout)
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(ByName))
        .use_preconfigured_tls(tls::client(&settings.tls)?);
    client.build().map_err(|error| {
        vec![Problem { key: "url".into(), message: format!("no client for requests to a schema registry: {error}") }]
    })
}

/// Looks names up, and leaves out what is open only where a ceiling names the address itself: otherwise whoever owns a
/// name could have the worker ask the metadata service of its cloud.
struct ByName;

impl Resolve for ByName {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let open: Vec<SocketAddr> = found.filter(|address| !only_by_address(address.ip())).collect();
            if open.is_empty() {
                let why = format!(
                    "{} stands for link-local or metadata addresses only, which sandbox.endpoint.ceiling has to name \
                     themselves",
                    name.as_str()
                );
                return Err(why.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(tls: &[(&str, &str)]) -> HttpSettings {
        HttpSettings {
            tls: tls.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn stores_that_cannot_be_read_are_named() {
        assert!(client(&settings(&[])).is_ok());
        let wrong = settings(&[("ssl.truststore.location", "/nowhere/trust.pem"), ("ssl.truststore.type", "PEM")]);
        let problems = client(&wrong).expect_err("there is no such file");
        assert_eq!(problems[0].key, "ssl.truststore.location");
        assert!(problems[0].message.contains("/nowhere/trust.pem"), "{}", problems[0].message);
    }

    #[tokio::test]
    async fn names_do_not_lead_to_addresses_that_only_a_ceiling_opens() {
        let resolved = |name: &'static str| ByName.resolve(name.parse().expect("a name"));
        assert!(resolved("localhost").await.is_ok());
        assert!(resolved("169.254.169.254").await.is_err());
    }
}
