using System.Text;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace KpiControl.Control.Drift.Stores;

/// <summary>Whose OpenPGP signatures count: the public keys of a file, as <c>gpg --export --armor</c> writes them. Judged as gpg judges them, by the clock of now.</summary>
internal sealed class OpenPgpSigners
{
    public const string Signature = "-----BEGIN PGP SIGNATURE-----";

    private const string KeyBlock = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

    // Longer than any that one key makes; who pushes chooses the bytes.
    private const int LongestSignature = 16 * 1024;

    private readonly IReadOnlyList<PgpPublicKeyRing> rings;

    private OpenPgpSigners(IReadOnlyList<PgpPublicKeyRing> rings) => this.rings = rings;

    /// <exception cref="StoreFaultException">It is no file of public keys.</exception>
    public static OpenPgpSigners Read(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            if (text.Contains("PRIVATE KEY BLOCK", StringComparison.Ordinal))
                throw new StoreFaultException($"OpenPgpKeysFile {file} holds a private key: export the public ones (gpg --export --armor)");
            // A file may be several exports, one after the other.
            var rings = text.Split(KeyBlock)[1..].SelectMany(block => Rings(KeyBlock + block)).ToList();
            return rings.Count > 0 ? new(rings) : throw new StoreFaultException($"OpenPgpKeysFile {file} holds no armoured public key (gpg --export --armor)");
        }
        catch (Exception error) when (error is IOException or PgpException or UnauthorizedAccessException or ArgumentException)
        {
            throw new StoreFaultException($"OpenPgpKeysFile {file} cannot be read: {error.Message}");
        }
    }

    /// <summary>Null: it is a file of public keys.</summary>
    public static string? MistakeOf(string file)
    {
        try
        {
            Read(file);
            return null;
        }
        catch (StoreFaultException fault)
        {
            return fault.Message;
        }
    }

    /// <summary>Null: one of the keys has signed it, and may.</summary>
    public string? MistakeOf(string armoured, byte[] content, DateTimeOffset now)
    {
        try
        {
            return armoured.Length > LongestSignature ? "has a signature that is longer than any" : Judge(armoured, content, now.UtcDateTime);
        }
        // Whoever pushes chooses the bytes, and the library throws what it comes upon.
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            return $"has an OpenPGP signature that cannot be read ({error.Message.ReplaceLineEndings(" ").Trim()})";
        }
    }

    private string? Judge(string armoured, byte[] content, DateTime now)
    {
        var made = new PgpObjectFactory(Unarmoured(armoured)).NextPgpObject() as PgpSignatureList;
        if (made is not { Count: 1 } || made[0] is not { Version: >= 4, SignatureType: PgpSignature.BinaryDocument } signature)
            return "has an OpenPGP signature that is not one of a document by one key";
        if (!OpenPgpCertificate.IsSafe(signature.HashAlgorithm))
            return $"has an OpenPGP signature by {signature.HashAlgorithm.ToString().ToUpperInvariant()}, which is not safe any more: sign with SHA-256 or better";
        if (rings.Select(ring => new OpenPgpCertificate(ring)).FirstOrDefault(certificate => certificate.Key(signature.KeyId) is not null) is not { } signer)
            return FormattableString.Invariant($"is signed with the OpenPGP key {signature.KeyId:X16}, which does not stand in OpenPgpKeysFile");
        signature.InitVerify(signer.Key(signature.KeyId));
        signature.Update(content);
        if (!signature.Verify())
            return $"has an OpenPGP signature of {signer.Name} that is not valid: it is of other content";
        return Lasts(signature) is { } end && end <= now ? $"has an OpenPGP signature of {signer.Name} that ran out" : signer.MistakeOf(signature, now);
    }

    private static DateTime? Lasts(PgpSignature signature) => signature.GetHashedSubPackets().GetSignatureExpirationTime() is > 0 and var seconds ? signature.CreationTime.AddSeconds(seconds) : null;

    private static IEnumerable<PgpPublicKeyRing> Rings(string block) => new PgpPublicKeyRingBundle(Unarmoured(block)).GetKeyRings();

    private static Stream Unarmoured(string text) => PgpUtilities.GetDecoderStream(new MemoryStream(Encoding.UTF8.GetBytes(text)));
}
