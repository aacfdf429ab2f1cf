using System.Reflection;

namespace KpiControl.Protocol;

/// <summary>The protos with all that they import and with their comments, as a FileDescriptorSet: also beside the assembly, as <c>kpicontrol.protoset</c>.</summary>
public static class Protoset
{
    public static byte[] Bytes()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("kpicontrol.protoset")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
