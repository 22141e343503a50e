// Is the first certificate of CHAIN a TLS client's, by the CAs of ROOTS? java Verify.java ROOTS CHAIN
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

public class Verify {
    public static void main(String[] args) throws Exception {
        KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
        roots.load(null, null);
        int count = 0;
        for (X509Certificate root : read(args[0])) roots.setCertificateEntry("root" + count++, root);
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(roots);
        X509TrustManager trustManager = (X509TrustManager) factory.getTrustManagers()[0];
        X509Certificate[] chain = read(args[1]).toArray(new X509Certificate[0]);
        try {
            trustManager.checkClientTrusted(chain, "EC");
        } catch (CertificateException error) {
            System.out.println("REFUSED " + error.getMessage());
            System.exit(1);
        }
        System.out.println("ACCEPTED " + chain[0].getSubjectAlternativeNames().iterator().next().get(1));
    }

    @SuppressWarnings("unchecked")
    private static List<X509Certificate> read(String path) throws Exception {
        try (FileInputStream file = new FileInputStream(path)) {
            return List.copyOf((java.util.Collection<X509Certificate>) (java.util.Collection<?>)
                CertificateFactory.getInstance("X.509").generateCertificates(file));
        }
    }
}
