using System.Runtime.InteropServices;
using KpiControl.Cli;

using var cancelled = new CancellationTokenSource();
void Cancel(PosixSignalContext signal)
{
    // A second signal ends the process at once.
    signal.Cancel = !cancelled.IsCancellationRequested;
    cancelled.Cancel();
}
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
return await Kpictl.Run(args, Surroundings.OfProcess(), cancelled.Token);
