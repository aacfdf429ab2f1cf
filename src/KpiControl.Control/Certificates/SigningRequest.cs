using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Certificates;

/// <summary>What an agent sends to be signed. Only its key is taken, once the request proves that the agent has it.</summary>
internal static class SigningRequest
{
    private const string Field = "certificate_request";
    private const int MostBytes = 16 << 10;
    private const string P256 = "1.2.840.10045.3.1.7";

    public static PublicKey Key(ByteString request)
    {
        if (request.Length is 0 or > MostBytes)
            throw Reject.Invalid(Field, $"must be a PKCS #10 request in DER of at most {MostBytes} bytes");
        try
        {
            var key = CertificateRequest.LoadSigningRequest(request.ToByteArray(), HashAlgorithmName.SHA256, CertificateRequestLoadOptions.Default, RSASignaturePadding.Pkcs1).PublicKey;
            return IsStrong(key) ? key : throw Reject.Invalid(Field, "has a key that is neither P-256 nor RSA of 2048 to 8192 bits");
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException or NotSupportedException)
        {
            throw Reject.Invalid(Field, "is no PKCS #10 request in DER that is signed by its own key");
        }
    }

    private static bool IsStrong(PublicKey key)
    {
        using var ec = key.GetECDsaPublicKey();
        if (ec is not null)
            return ec.ExportParameters(false).Curve.Oid?.Value == P256;
        using var rsa = key.GetRSAPublicKey();
        return rsa?.KeySize is >= 2048 and <= 8192;
    }
}
