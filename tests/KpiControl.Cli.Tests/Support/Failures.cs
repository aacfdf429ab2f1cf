using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Status = Google.Rpc.Status;

namespace KpiControl.Cli.Tests.Support;

/// <summary>Rich errors, as the control plane sends them.</summary>
internal static class Failures
{
    public static RpcException Of(Grpc.Core.StatusCode code, string reason, string message, Google.Protobuf.IMessage? detail = null, params (string Key, string Value)[] metadata)
    {
        var info = new ErrorInfo { Reason = reason, Domain = "kpicontrol" };
        foreach (var (key, value) in metadata)
            info.Metadata.Add(key, value);
        var status = new Status { Code = (int)code, Message = message, Details = { Any.Pack(info) } };
        if (detail is not null)
            status.Details.Add(Any.Pack(detail));
        return status.ToRpcException();
    }
}
