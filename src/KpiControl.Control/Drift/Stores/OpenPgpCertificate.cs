using System.Globalization;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace KpiControl.Control.Drift.Stores;

/// <summary>
/// A primary key with what it says of itself and of its subkeys. Of that only what the primary key has signed by a safe digest counts: key servers hand
/// out keys with packets that anybody added.
/// </summary>
internal sealed class OpenPgpCertificate(PgpPublicKeyRing ring)
{
    private const int CanSign = 0x02, FewestBits = 2048;

    private readonly PgpPublicKey primary = ring.GetPublicKey();

    public string Name => primary.GetUserIds().FirstOrDefault() ?? primary.KeyId.ToString("X16", CultureInfo.InvariantCulture);

    public PgpPublicKey? Key(long keyId) => ring.GetPublicKey(keyId);

    public static bool IsSafe(HashAlgorithmTag digest) => digest is HashAlgorithmTag.Sha256 or HashAlgorithmTag.Sha384 or HashAlgorithmTag.Sha512 or HashAlgorithmTag.Sha3_256 or HashAlgorithmTag.Sha3_512;

    /// <summary>Why the key that made a signature may not have; null: it may.</summary>
    public string? MistakeOf(PgpSignature signature, DateTime now)
    {
        var key = ring.GetPublicKey(signature.KeyId);
        var isSubkey = key.KeyId != primary.KeyId;
        var whose = $"is signed with {(isSubkey ? "a subkey" : "the OpenPGP key")} of {Name}";
        // A revocation counts whoever made it: the file is the operator's, and one too many is mended there.
        if (primary.HasRevocation() || key.HasRevocation())
            return $"{whose} that was revoked";
        if (OwnWord() is not { } own)
            return $"{whose}, which vouches for none of its names by SHA-256 or better: export it anew";
        if (End(primary, own) is { } end && end <= now)
            return $"{whose} that expired on {Day(end)}: have it prolonged, and export it anew";
        if (isSubkey && Binding(key) is not { } bound)
            return $"{whose} that the primary key does not vouch for, or that does not vouch for it";
        else if (isSubkey && End(key, Binding(key)!) is { } over && over <= now)
            return $"{whose} that expired on {Day(over)}: have it prolonged, and export it anew";
        if (!MaySign(isSubkey ? Binding(key)! : own, isSubkey))
            return $"{whose} that is not for signing";
        if (key.Algorithm is PublicKeyAlgorithmTag.RsaGeneral or PublicKeyAlgorithmTag.RsaSign or PublicKeyAlgorithmTag.Dsa && key.BitStrength < FewestBits)
            return string.Create(CultureInfo.InvariantCulture, $"{whose} of {key.BitStrength} bits: fewer than {FewestBits} are not safe any more");
        return signature.CreationTime < key.CreationTime ? $"{whose} that is younger than the signature" : null;
    }

    // What it says of itself: the newest word for any of its names that it has not taken back.
    private PgpSignature? OwnWord() => primary.GetUserIds().Select(name => primary.GetSignaturesForId(name)
            .Where(word => word.KeyId == primary.KeyId && (word.IsCertification() || word.SignatureType == PgpSignature.CertificationRevocation) && Says(word, primary, () => word.VerifyCertification(name, primary)))
            .MaxBy(word => word.CreationTime))
        .Where(word => word?.IsCertification() == true).MaxBy(word => word!.CreationTime);

    // A subkey that signs must say itself whose it is: else anybody could call another's key theirs.
    private PgpSignature? Binding(PgpPublicKey subkey) => subkey.GetSignatures()
        .Where(word => word.SignatureType == PgpSignature.SubkeyBinding && word.KeyId == primary.KeyId && Says(word, primary, () => word.VerifyCertification(primary, subkey)))
        .Where(word => Embedded(word).Any(back => back.SignatureType == PgpSignature.PrimaryKeyBinding && Says(back, subkey, () => back.VerifyCertification(primary, subkey))))
        .MaxBy(word => word.CreationTime);

    private static IEnumerable<PgpSignature> Embedded(PgpSignature word)
    {
        foreach (var packets in new[] { word.GetHashedSubPackets(), word.GetUnhashedSubPackets() })
            for (var (all, i) = (packets.GetEmbeddedSignatures(), 0); i < all.Count; i++)
                yield return all[i];
    }

    private static bool Says(PgpSignature word, PgpPublicKey by, Func<bool> verify)
    {
        if (!IsSafe(word.HashAlgorithm))
            return false;
        word.InitVerify(by);
        return verify();
    }

    private static DateTime? End(PgpPublicKey key, PgpSignature word) => word.GetHashedSubPackets().GetKeyExpirationTime() is > 0 and var seconds ? key.CreationTime.AddSeconds(seconds) : null;

    // A primary key that says nothing of its use may sign.
    private static bool MaySign(PgpSignature word, bool isSubkey) =>
        word.GetHashedSubPackets() is var packets && packets.HasSubpacket(SignatureSubpacketTag.KeyFlags) ? (packets.GetKeyFlags() & CanSign) != 0 : !isSubkey;

    private static string Day(DateTime at) => at.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
