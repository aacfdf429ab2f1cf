using System.Security.Cryptography;

namespace KpiControl.Jobs.Evidence;

/// <summary>How checkpoints and the ends of exports are signed: ECDSA over P-256 with SHA-256, DER, so that openssl verifies them too.</summary>
public static class ChainSignature
{
    /// <summary>A key's name: the first 16 hex digits of SHA-256 over its SubjectPublicKeyInfo (DER).</summary>
    public static string IdOf(ECDsa key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()))[..16];

    public static byte[] Sign(ECDsa key, byte[] toSign) => key.SignData(toSign, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    /// <summary>Whether the signature over the bytes is the key's, which goes by that name.</summary>
    public static bool Is(ECDsa key, string keyId, byte[] toSign, byte[] signature) =>
        keyId == IdOf(key) && key.VerifyData(toSign, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
}
