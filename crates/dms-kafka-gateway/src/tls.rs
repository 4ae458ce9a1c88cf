//! HTTPS, when the feature `tls` is on.

#[cfg(not(feature = "tls"))]
pub(crate) use disabled::{TlsAcceptor, acceptor};
#[cfg(feature = "tls")]
pub(crate) use enabled::{TlsAcceptor, acceptor};

#[cfg(feature = "tls")]
mod enabled {
    use std::{fmt, path::Path, sync::Arc};

    use tokio_rustls::rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    };

    use crate::{config::TlsFiles, error::Error};

    #[derive(Clone)]
    pub(crate) struct TlsAcceptor(pub(crate) tokio_rustls::TlsAcceptor);

    impl fmt::Debug for TlsAcceptor {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("TlsAcceptor").finish_non_exhaustive()
        }
    }

    pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Error> {
        let chain_file = &files.certificate_chain_file;
        let chain: Vec<_> = CertificateDer::pem_file_iter(chain_file)
            .and_then(Iterator::collect)
            .map_err(|error| refuse("tls.certificate_chain_file", chain_file, error))?;
        let key = PrivateKeyDer::from_pem_file(&files.private_key_file)
            .map_err(|error| refuse("tls.private_key_file", &files.private_key_file, error))?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| refuse("tls", chain_file, error))?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|error| refuse("tls.certificate_chain_file", chain_file, error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor(Arc::new(config).into()))
    }

    fn refuse(
        name: &str,
        path: &Path,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        Error::refused_setting(name, path, "it cannot be used", Box::new(source))
    }
}

#[cfg(not(feature = "tls"))]
mod disabled {
    use crate::{config::TlsFiles, error::Error};

    #[derive(Clone, Debug)]
    pub(crate) enum TlsAcceptor {}

    pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Error> {
        let rule = "this program was built without TLS; build it with the feature tls, or take the table [tls] away";
        Err(Error::invalid_setting(
            "tls.certificate_chain_file",
            &files.certificate_chain_file,
            rule,
        ))
    }
}
