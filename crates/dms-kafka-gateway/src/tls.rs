//! HTTPS, when the feature `tls` is on.

#[cfg(not(feature = "tls"))]
pub(crate) use disabled::TlsAcceptor;
#[cfg(feature = "tls")]
pub(crate) use enabled::TlsAcceptor;

#[cfg(feature = "tls")]
mod enabled {
    use std::{fmt, path::Path, sync::Arc};

    use tokio::io::{AsyncRead, AsyncWrite};
    use tokio_rustls::{
        Accept,
        rustls::{
            ServerConfig,
            crypto::aws_lc_rs,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        },
        server::TlsStream,
    };

    use crate::{config::TlsFiles, error::Error};

    pub(crate) struct TlsAcceptor(tokio_rustls::TlsAcceptor);

    impl fmt::Debug for TlsAcceptor {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("TlsAcceptor").finish_non_exhaustive()
        }
    }

    impl TlsAcceptor {
        pub(crate) fn new(files: &TlsFiles) -> Result<Self, Error> {
            let chain_file = &files.certificate_chain_file;
            let chain: Vec<_> = CertificateDer::pem_file_iter(chain_file)
                .and_then(Iterator::collect)
                .map_err(|error| refuse("tls.certificate_chain_file", chain_file, error))?;
            let key = PrivateKeyDer::from_pem_file(&files.private_key_file).map_err(|error| {
                // Without the value, which may be the key itself by mistake.
                let rule = "it cannot be used";
                Error::invalid_secret("tls.private_key_file", rule, Some(Box::new(error)))
            })?;
            let mut config =
                ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                    .with_safe_default_protocol_versions()
                    .map_err(|error| refuse("tls", chain_file, error))?
                    .with_no_client_auth()
                    .with_single_cert(chain, key)
                    .map_err(|error| refuse("tls.certificate_chain_file", chain_file, error))?;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Self(Arc::new(config).into()))
        }

        pub(crate) fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Accept<S> {
            self.0.accept(stream)
        }

        /// Returns the stream below the TLS connection.
        pub(crate) fn transport<S>(stream: &TlsStream<S>) -> &S {
            stream.get_ref().0
        }
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
    use std::{future::Ready, io};

    use crate::{config::TlsFiles, error::Error};

    #[derive(Debug)]
    pub(crate) enum TlsAcceptor {}

    impl TlsAcceptor {
        pub(crate) fn new(files: &TlsFiles) -> Result<Self, Error> {
            let (name, file) = ("tls.certificate_chain_file", &files.certificate_chain_file);
            let rule = "this program was built without TLS; build it with the feature tls, or remove the table [tls]";
            Err(Error::invalid_setting(name, file, rule))
        }

        pub(crate) fn accept<S>(&self, _: S) -> Ready<io::Result<S>> {
            match *self {}
        }

        pub(crate) fn transport<S>(stream: &S) -> &S {
            stream
        }
    }
}
